/// A file in a watched directory, as it was last seen.
final class WatchedEntry {
    let path: String
    /// The sets that want it.
    let sets: [Int]
    fileprivate(set) var key: FileKey
    fileprivate var directoryInode: UInt64
    fileprivate var size: Int64
    fileprivate var modified: Int64
    fileprivate var round: UInt64 = 0
    fileprivate var targetWatch: Int32?

    fileprivate init(path: String, sets: [Int], inode: UInt64, status: FileStatus) {
        self.path = path
        self.sets = sets
        self.directoryInode = inode
        self.key = status.key
        self.size = status.size
        self.modified = status.modified
    }

    /// Takes over what a new look has shown; whether it differs.
    fileprivate func update(_ status: FileStatus) -> Bool {
        if size == status.size, modified == status.modified { return false }
        size = status.size
        modified = status.modified
        return true
    }
}

/// A name of a directory that was not seen before.
private struct MetDirectory {
    let nameHash: UInt64
    let path: String
    let cursors: [GlobCursor]
    let key: FileKey
}

/// A directory that patterns lead to.
final class WatchedDirectory {
    let path: String
    fileprivate var cursors: [GlobCursor]
    fileprivate let above: [FileKey]
    fileprivate var key: FileKey?
    fileprivate var watch: Int32?
    fileprivate var entries: [UInt64: WatchedEntry] = [:]
    fileprivate var children: [UInt64: WatchedDirectory] = [:]
    /// Names of directories that were met for the first time in this look.
    fileprivate var met: [MetDirectory] = []
    /// Followed inodes under names that no pattern matches, as of the last look.
    fileprivate var strays: [FileKey: Stray] = [:]
    fileprivate var round: UInt64 = 0
    fileprivate var isDirty = true

    fileprivate init(path: String, cursors: [GlobCursor], above: [FileKey]) {
        self.path = path
        self.cursors = cursors
        self.above = above
    }
}

/// All directories that patterns lead to, what is in them, and the kernel's watches on them.
///
/// Looking is cheap where nothing happens: one `readdir`, and one `stat` for each file in a full
/// scan. No string is built for a name that was seen before.
final class DirectoryTree {
    private enum Watched {
        case directory(WatchedDirectory)
        case entry(WatchedEntry)
    }

    private let disk: any Disk
    private let exclude: [[GlobPattern]]
    private var roots: [String: WatchedDirectory] = [:]
    private var hints: (any DirectoryHints)?
    private var watches: [Int32: [Watched]] = [:]
    private var round: UInt64 = 0
    private var looksAtFiles = true
    private var dirty: [WatchedDirectory] = []

    /// Inodes to spot under names that no pattern matches.
    var followedInodes: Set<UInt64> = []
    /// Files that may have grown, since last taken.
    private(set) var changed: Set<FileKey> = []
    private(set) var problems: [WatchProblem] = []
    /// Whether names came or went since last asked.
    private(set) var hasNewNames = false
    /// Whether some directory has no watch, so that only scans see it.
    private(set) var hasUnwatched = false
    private(set) var hasMissingRoots = false

    init(sets: [WatchSet], disk: any Disk, usesEvents: Bool) {
        self.disk = disk
        exclude = sets.map(\.exclude)
        if usesEvents { makeHints() }
        for (index, set) in sets.enumerated() {
            for root in set.patterns.flatMap({ $0.roots(set: index) }) { add(root) }
        }
    }

    var descriptor: Int32 { hints?.descriptor ?? -1 }

    private func makeHints() {
        do throws(TailError) {
            hints = try disk.makeHints()
        } catch {
            noteExhausted(error)
        }
    }

    private func add(_ root: (path: String, cursors: [GlobCursor])) {
        let directory =
            roots[root.path] ?? WatchedDirectory(path: root.path, cursors: [], above: [])
        directory.cursors += root.cursors.filter { !directory.cursors.contains($0) }
        roots[root.path] = directory
    }

    /// Everything that patterns match, as of the last scans.
    func sightings() -> [Sighting] {
        var result: [Sighting] = []
        forEachDirectory { directory in
            for entry in directory.entries.values {
                for set in entry.sets {
                    result.append(
                        Sighting(set: set, key: entry.key, path: entry.path, size: entry.size)
                    )
                }
            }
        }
        return result
    }

    func takeChanges() -> Set<FileKey> {
        defer { changed.removeAll(keepingCapacity: true) }
        return changed
    }

    func takeProblems() -> [WatchProblem] {
        defer { problems.removeAll() }
        return problems
    }

    /// Where followed inodes stand under other names.
    func strays() -> [FileKey: Stray] {
        var result: [FileKey: Stray] = [:]
        forEachDirectory { result.merge($0.strays) { first, _ in first } }
        return result
    }

    func takeHasNewNames() -> Bool {
        defer { hasNewNames = false }
        return hasNewNames
    }
}

// MARK: - Scanning

extension DirectoryTree {
    /// Looks at every directory and every file.
    func scanAll() {
        hasUnwatched = hints == nil
        hasMissingRoots = false
        looksAtFiles = true
        scan(Array(roots.values), below: true)
    }

    /// Looks again at the directories that hints were about.
    func scanDirty() {
        looksAtFiles = false
        let directories = dirty
        dirty.removeAll()
        scan(directories.filter(\.isDirty), below: false)
    }

    /// Looks for roots that did not exist so far.
    func scanMissingRoots() {
        hasMissingRoots = false
        scan(roots.values.filter { $0.key == nil }, below: false)
    }

    private func scan(_ directories: [WatchedDirectory], below: Bool) {
        var pending = directories
        while let directory = pending.popLast() {
            directory.isDirty = false
            scan(directory)
            pending += directory.children.values.filter { below || $0.isDirty }
        }
    }

    private func scan(_ directory: WatchedDirectory) {
        round += 1
        let strays = exchange(&directory.strays, with: [:])
        // Watched first: what comes between the two looks is a hint, not a gap.
        watchIfNeeded(directory)
        do throws(TailError) {
            let key = try disk.list(directory.path) { visit($0, in: directory) }
            noteKey(key, of: directory)
            addMetChildren(of: directory)
        } catch {
            unreadable(directory, error)
        }
        dropUnseen(of: directory)
        // Its writer may go on in a file that was rotated away.
        if directory.strays != strays { hasNewNames = true }
    }

    private func visit(_ name: DirectoryEntry, in directory: WatchedDirectory) {
        let hash = name.nameHash
        if let entry = directory.entries[hash], name.kind != .directory {
            if revisit(entry, name) { entry.round = round }
        } else if let child = directory.children[hash], name.kind != .file {
            if name.kind == .directory || name.status()?.kind == .directory { child.round = round }
        } else {
            meet(name, hash, in: directory)
        }
    }

    /// Whether a name still stands for the file that it stood for.
    private func revisit(_ entry: WatchedEntry, _ name: DirectoryEntry) -> Bool {
        if !looksAtFiles, name.kind == .file, name.inode == entry.directoryInode { return true }
        guard let seen = name.status(), seen.kind == .regular else { return false }
        if seen.key != entry.key {
            entry.key = seen.key
            entry.directoryInode = name.inode
            hasNewNames = true
            if name.kind != .file { rewatchTarget(of: entry) }
        }
        if entry.update(seen) { changed.insert(entry.key) }
        return true
    }

    private func meet(_ name: DirectoryEntry, _ hash: UInt64, in directory: WatchedDirectory) {
        if name.kind == .other { return }
        let isFile = directory.cursors.contains { $0.matchesFile(name.name) }
        var cursors: [GlobCursor] = []
        if name.kind != .file {
            for cursor in directory.cursors { cursor.descend(into: name.name, to: &cursors) }
        }
        guard isFile || !cursors.isEmpty else { return noteStray(name, in: directory) }
        guard let status = name.status() else { return }
        if status.kind == .directory, !cursors.isEmpty {
            directory.met.append(
                MetDirectory(
                    nameHash: hash,
                    path: joined(directory.path, name.text),
                    cursors: cursors,
                    key: status.key
                )
            )
        } else if status.kind == .regular, isFile {
            addEntry(name, hash, status, in: directory)
        }
    }

    private func addEntry(
        _ name: DirectoryEntry,
        _ hash: UInt64,
        _ status: FileStatus,
        in directory: WatchedDirectory
    ) {
        guard let text = String(validating: name.name, as: UTF8.self) else {
            let path = joined(directory.path, name.text)
            return problems.append(.unreadable(path: path, reason: "its name is not UTF-8"))
        }
        let path = joined(directory.path, text)
        let sets = Set(directory.cursors.filter { $0.matchesFile(name.name) }.map(\.set))
        let wanted = sets.filter { set in !exclude[set].contains { $0.matches(path) } }.sorted()
        if wanted.isEmpty { return noteStray(name, in: directory) }
        let entry = WatchedEntry(path: path, sets: wanted, inode: name.inode, status: status)
        entry.round = round
        directory.entries[hash] = entry
        hasNewNames = true
        if name.kind == .link { rewatchTarget(of: entry) }
    }

    /// A directory below itself is a symbolic link that leads upwards.
    private func addMetChildren(of directory: WatchedDirectory) {
        let above = directory.above + (directory.key.map { [$0] } ?? [])
        for met in exchange(&directory.met, with: []) {
            if above.contains(met.key) {
                problems.append(.linkCycle(path: met.path))
                continue
            }
            let child = WatchedDirectory(path: met.path, cursors: met.cursors, above: above)
            child.round = round
            directory.children[met.nameHash] = child
        }
    }

    private func noteStray(_ name: DirectoryEntry, in directory: WatchedDirectory) {
        guard followedInodes.contains(name.inode), name.kind != .directory,
            let status = name.status(), status.kind == .regular
        else { return }
        directory.strays[status.key] = Stray(
            path: joined(directory.path, name.text),
            size: status.size
        )
    }

    private func dropUnseen(of directory: WatchedDirectory) {
        for (hash, entry) in directory.entries where entry.round != round {
            directory.entries[hash] = nil
            hasNewNames = true
            unwatchTarget(of: entry)
        }
        for (hash, child) in directory.children where child.round != round {
            directory.children[hash] = nil
            drop(child)
        }
    }

    private func drop(_ directory: WatchedDirectory) {
        forEachDirectory(from: [directory]) { gone in
            hasNewNames = hasNewNames || !gone.entries.isEmpty
            for entry in gone.entries.values { unwatchTarget(of: entry) }
            gone.isDirty = false
            unwatch(gone)
        }
    }

    private func unreadable(_ directory: WatchedDirectory, _ error: TailError) {
        unwatch(directory)
        directory.key = nil
        if roots[directory.path] === directory { hasMissingRoots = true }
        // Unseen names are dropped, and found again when the directory comes back.
        if error.isGone { return }
        problems.append(.directoryUnreadable(path: directory.path, reason: error.reason))
        for entry in directory.entries.values { entry.round = round }
        for child in directory.children.values { child.round = round }
    }

    private func noteKey(_ key: FileKey, of directory: WatchedDirectory) {
        defer { directory.key = key }
        guard let before = directory.key, before != key else { return }
        // Another directory has taken the name: its watch is not ours yet.
        unwatch(directory)
        watchIfNeeded(directory)
        markDirty(directory)
    }

    private func forEachDirectory(_ body: (WatchedDirectory) -> Void) {
        forEachDirectory(from: Array(roots.values), body)
    }

    private func forEachDirectory(
        from first: [WatchedDirectory],
        _ body: (WatchedDirectory) -> Void
    ) {
        var pending = first
        while let directory = pending.popLast() {
            body(directory)
            pending += directory.children.values
        }
    }
}

// MARK: - Watches

extension DirectoryTree {
    /// Takes the kernel's hints; whether it dropped some, so that everything must be looked at.
    func takeHints() -> Bool {
        var isOverflow = false
        hints?.drain { hint, name in
            if hint.change.contains(.overflow) {
                isOverflow = true
            } else {
                for watched in watches[hint.watch] ?? [] { note(hint, name, watched) }
                if hint.change.contains(.ignored) { watches[hint.watch] = nil }
            }
        }
        if isOverflow { problems.append(.eventsDropped) }
        return isOverflow
    }

    var hasDirty: Bool { !dirty.isEmpty }

    private func note(_ hint: DirectoryHint, _ name: UnsafeRawBufferPointer, _ watched: Watched) {
        switch watched {
        case .entry(let entry):
            if hint.change.contains(.ignored) { entry.targetWatch = nil }
            changed.insert(entry.key)
        case .directory(let directory):
            note(hint, name, in: directory)
        }
    }

    private func note(
        _ hint: DirectoryHint,
        _ name: UnsafeRawBufferPointer,
        in directory: WatchedDirectory
    ) {
        if hint.change == .contents {
            if let entry = directory.entries[forktailNameHash(name)] { changed.insert(entry.key) }
            return
        }
        if hint.change.contains(.ignored) { directory.watch = nil }
        if hint.change.contains(.movedSelf) { unwatch(directory) }
        markDirty(directory)
    }

    private func markDirty(_ directory: WatchedDirectory) {
        if directory.isDirty { return }
        directory.isDirty = true
        dirty.append(directory)
    }

    private func watchIfNeeded(_ directory: WatchedDirectory) {
        guard directory.watch == nil, let hints else { return }
        do throws(TailError) {
            let watch = try hints.watch(directory: directory.path)
            directory.watch = watch
            watches[watch, default: []].append(.directory(directory))
        } catch {
            if error.isWatchLimit { noteExhausted(error) }
        }
    }

    private func rewatchTarget(of entry: WatchedEntry) {
        unwatchTarget(of: entry)
        guard let hints else { return }
        do throws(TailError) {
            let watch = try hints.watch(file: entry.path)
            entry.targetWatch = watch
            watches[watch, default: []].append(.entry(entry))
        } catch {
            if error.isWatchLimit { noteExhausted(error) }
        }
    }

    private func unwatch(_ directory: WatchedDirectory) {
        guard let watch = directory.watch else { return }
        directory.watch = nil
        release(watch) { watched in
            if case .directory(let other) = watched { other === directory } else { false }
        }
    }

    private func unwatchTarget(of entry: WatchedEntry) {
        guard let watch = entry.targetWatch else { return }
        entry.targetWatch = nil
        release(watch) { watched in
            if case .entry(let other) = watched { other === entry } else { false }
        }
    }

    // The kernel gives one watch for one inode, however many names lead to it.
    private func release(_ watch: Int32, _ isMine: (Watched) -> Bool) {
        guard var users = watches[watch] else { return }
        users.removeAll(where: isMine)
        watches[watch] = users.isEmpty ? nil : users
        if users.isEmpty { hints?.unwatch(watch) }
    }

    private func noteExhausted(_ error: TailError) {
        hasUnwatched = true
        problems.append(.watchesExhausted(reason: error.reason))
    }
}
