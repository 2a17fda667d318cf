/// One `from` of a pipeline: which files to watch, and where to begin in them.
package struct WatchSet: Sendable {
    package enum Start: Sendable {
        case beginning
        /// The end, as it is when the file is first seen.
        case end
    }

    package var patterns: [GlobPattern]
    package var exclude: [GlobPattern]
    /// For files without a checkpoint that are there at the first scan.
    package var start: Start
    /// For files that come later.
    package var newFiles: Start
    /// Files not modified for so long before they are first seen are passed over as they are.
    package var ignoreOlder: Duration?
    /// For those, once they grow.
    package var oldFiles: Start
    /// Whether gzip and zstd files are read as what is in them.
    package var decompresses: Bool

    package init(
        patterns: [GlobPattern],
        exclude: [GlobPattern] = [],
        start: Start = .beginning,
        newFiles: Start = .beginning,
        ignoreOlder: Duration? = nil,
        oldFiles: Start = .end,
        decompresses: Bool = true
    ) {
        self.patterns = patterns
        self.exclude = exclude
        self.start = start
        self.newFiles = newFiles
        self.ignoreOlder = ignoreOlder
        self.oldFiles = oldFiles
        self.decompresses = decompresses
    }
}

/// What the evidence says about a file that has come into sight.
package enum FileVerdict: Equatable, Sendable {
    /// Nothing known is this file; `replacing` had its inode before.
    case new(replacing: KnownFile?)
    /// The same file under the same inode.
    case resumed(KnownFile)
    /// A known file whose bytes are under this inode now: moved, copied before a truncation, or
    /// compressed.
    case continued(KnownFile)
    /// A copy of a file that is still there; what was read of that one is not read again.
    case copied(KnownFile)
}

/// A file that has come into sight, and where to begin in it.
package struct DiscoveredFile: Sendable {
    package var key: FileKey
    package var path: String
    package var evidence: FileEvidence
    package var verdict: FileVerdict
    package var position: TailPosition
    /// Where the bytes end for good, if this is a copy that ends before what was read.
    package var isShorter: Bool
    /// The file held open since it was looked at, unless too many are: no rename can come between.
    package var file: TailedFile?

    package init(
        key: FileKey,
        path: String,
        evidence: FileEvidence,
        verdict: FileVerdict,
        position: TailPosition,
        isShorter: Bool = false,
        file: TailedFile? = nil
    ) {
        self.key = key
        self.path = path
        self.evidence = evidence
        self.verdict = verdict
        self.position = position
        self.isShorter = isShorter
        self.file = file
    }

    /// Moves ``position`` to the edge of a character of `unitLength` bytes.
    package mutating func align(to unitLength: Int) {
        let excess = Int(position.offset % Int64(unitLength))
        position.offset -= Int64(excess)
        position.guardBytes.removeLast(min(excess, position.guardBytes.count))
    }

    /// Whether ``position`` lies inside a line, whose rest is then not a record.
    ///
    /// - Parameter unitLength: bytes of the shortest character.
    package func startsInsideLine(unitLength: Int) -> Bool {
        guard case .new = verdict, !position.guardBytes.isEmpty else { return false }
        // In either byte order, the others of a newline's bytes are 0.
        let last = position.guardBytes.suffix(unitLength)
        return last.reduce(0) { $0 + Int($1) } != Int(UInt8(ascii: "\n"))
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
    /// What was under this inode has other bytes now; what becomes of it follows.
    case rewritten(set: Int, FileKey)
    /// The bytes of a rewritten file are nowhere to be found.
    case lost(set: Int, KnownFile)
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
    /// A symbolic link leads to a directory above it.
    case linkCycle(path: String)
}

extension WatchProblem: CustomStringConvertible {
    /// The reason that is no fault of rights: a path is text, and this name is none.
    private static let nameIsNoText = "its name is not UTF-8"

    package var description: String {
        switch self {
        case .unreadable(let path, Self.nameIsNoText):
            "cannot open '\(path)': \(Self.nameIsNoText); rename it"
        case .unreadable(let path, let reason):
            "cannot open '\(path)' (\(reason)); it is tried again, give this user the right to read it"
        case .directoryUnreadable(let path, let reason):
            "cannot list '\(path)' (\(reason)); it is tried again, give this user the right to read it"
        case .watchesExhausted(let reason):
            "inotify gives no more watches (\(reason)); files are found by scanning, "
                + "raise fs.inotify.max_user_watches and max_user_instances"
        case .linkCycle(let path):
            "'\(path)' leads to a directory above it; it is not followed, or there would be no end"
        case .eventsDropped:
            "inotify dropped events; a scan makes up for them"
        }
    }
}
