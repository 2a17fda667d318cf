/// One `from` of a pipeline: which files to watch, and where to begin in them.
package struct WatchSet: Sendable {
    package enum Start: Sendable {
        case beginning
        /// The end, for files without a checkpoint that are there at the first scan.
        case end
    }

    package var patterns: [GlobPattern]
    package var exclude: [GlobPattern]
    package var start: Start

    package init(patterns: [GlobPattern], exclude: [GlobPattern] = [], start: Start = .beginning) {
        self.patterns = patterns
        self.exclude = exclude
        self.start = start
    }
}

/// What the evidence says about a file that has come into sight.
package enum FileVerdict: Equatable, Sendable {
    /// Nothing known is this file.
    case new
    /// The same file, to be read on from its checkpoint.
    case resume(KnownFile)
    /// The same inode with other content: a new generation, from offset 0.
    case rewritten(KnownFile)
    /// A known file under another inode; the old inode is gone, and it is read on from there.
    case renamed(KnownFile)
}

/// A file that has come into sight, and where to begin in it.
package struct DiscoveredFile: Sendable {
    package var key: FileKey
    package var path: String
    package var evidence: FileEvidence
    package var verdict: FileVerdict
    package var position: TailPosition
    /// The file held open since it was looked at, unless too many are: no rename can come between.
    package var file: TailedFile?

    package init(
        key: FileKey,
        path: String,
        evidence: FileEvidence,
        verdict: FileVerdict,
        position: TailPosition,
        file: TailedFile? = nil
    ) {
        self.key = key
        self.path = path
        self.evidence = evidence
        self.verdict = verdict
        self.position = position
        self.file = file
    }

    /// Whether ``position`` lies inside a line, whose rest is then not a record.
    package var startsInsideLine: Bool {
        guard case .new = verdict, let last = position.guardBytes.last else { return false }
        return last != UInt8(ascii: "\n")
    }
}

/// What a lane needs to know about the files that it watches.
package enum WatchEvent: Sendable {
    /// A file has come into sight of a set.
    case found(set: Int, DiscoveredFile)
    /// There may be something to read; told at most once in a round.
    case changed(FileKey)
    /// The file has another path now and still belongs to the set, or belongs to it again.
    case renamed(set: Int, FileKey, to: String)
    /// The file left the set's globs: drain it through its descriptor.
    case moved(set: Int, FileKey, to: String?)
    /// The file's last name is gone: drain it through its descriptor.
    case removed(set: Int, FileKey)
    /// Something stands in the way; told once until it is over.
    case problem(WatchProblem)
}

/// Why files may be seen late or not at all, and what to do about it.
package enum WatchProblem: Hashable, Sendable {
    case unreadable(path: String, reason: String)
    case directoryUnreadable(path: String, reason: String)
    /// inotify gives no more watches; scanning goes on alone.
    case watchesExhausted(reason: String)
    /// The kernel dropped events; a scan makes up for them.
    case eventsDropped
}

extension WatchProblem: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadable(let path, let reason):
            "cannot open '\(path)' (\(reason)); it is tried again, give this user the right to read it"
        case .directoryUnreadable(let path, let reason):
            "cannot list '\(path)' (\(reason)); it is tried again, give this user the right to read it"
        case .watchesExhausted(let reason):
            "inotify gives no more watches (\(reason)); files are found by scanning, "
                + "raise fs.inotify.max_user_watches and max_user_instances"
        case .eventsDropped:
            "inotify dropped events; a scan makes up for them"
        }
    }
}
