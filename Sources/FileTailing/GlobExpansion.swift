/// The files that patterns match now, once.
package enum GlobExpansion {
    /// The paths of the regular files that match, sorted by their bytes, each file once.
    ///
    /// Directories that do not exist or may not be listed hold no files.
    package static func files(
        matching patterns: [GlobPattern],
        excluding exclude: [GlobPattern] = [],
        on disk: any Disk
    ) -> [String] {
        var walk = GlobWalk(disk: disk, exclude: exclude)
        for pattern in patterns {
            for root in pattern.roots(set: 0) {
                walk.pending.append(.init(path: root.path, cursors: root.cursors, above: []))
            }
        }
        while let directory = walk.pending.popLast() { walk.visit(directory) }
        return walk.uniquePaths
    }
}

private struct GlobWalk {
    struct Directory {
        var path: String
        var cursors: [GlobCursor]
        var above: [FileKey]
    }

    let disk: any Disk
    let exclude: [GlobPattern]
    var pending: [Directory] = []
    private var found: [(path: String, key: FileKey)] = []

    init(disk: any Disk, exclude: [GlobPattern]) {
        self.disk = disk
        self.exclude = exclude
    }

    /// A file under two names is listed under the first of them.
    var uniquePaths: [String] {
        var seen: Set<FileKey> = []
        let sorted = found.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        return sorted.filter { seen.insert($0.key).inserted }.map(\.path)
    }

    mutating func visit(_ directory: Directory) {
        var below: [Directory] = []
        let key = try? disk.list(directory.path) { entry in
            if let child = visit(entry, in: directory) { below.append(child) }
        }
        // A directory below itself is a symbolic link that leads upwards.
        guard let key, !directory.above.contains(key) else { return }
        for var child in below {
            child.above = directory.above + [key]
            pending.append(child)
        }
    }

    private mutating func visit(_ entry: DirectoryEntry, in directory: Directory) -> Directory? {
        var cursors: [GlobCursor] = []
        for cursor in directory.cursors { cursor.descend(into: entry.name, to: &cursors) }
        let isFile = directory.cursors.contains { $0.matchesFile(entry.name) }
        guard isFile || !cursors.isEmpty, entry.kind != .other, let status = entry.status() else {
            return nil
        }
        let path = joined(directory.path, entry.text)
        if status.kind == .directory, !cursors.isEmpty {
            return Directory(path: path, cursors: cursors, above: [])
        }
        if isFile, status.kind == .regular, !exclude.contains(where: { $0.matches(path) }) {
            found.append((path, status.key))
        }
        return nil
    }
}
