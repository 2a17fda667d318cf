/// Known files that nothing on disk has been matched with, to be found by inode or by head.
struct KnownFiles: Sendable {
    private var files: [Int64: KnownFile] = [:]
    private var byKey: [FileKey: Set<Int64>] = [:]
    private var byHead: [HeadFingerprint: Set<Int64>] = [:]

    init(_ files: [KnownFile] = []) {
        for file in files { insert(file) }
    }

    var all: [KnownFile] { files.values.sorted { $0.id < $1.id } }

    var inodes: Set<UInt64> { Set(byKey.keys.map(\.inode)) }

    subscript(_ id: Int64) -> KnownFile? { files[id] }

    func contains(_ id: Int64) -> Bool { files[id] != nil }

    mutating func insert(_ file: KnownFile) {
        remove(file.id)
        files[file.id] = file
        byKey[file.key, default: []].insert(file.id)
        byHead[file.head, default: []].insert(file.id)
    }

    mutating func remove(_ id: Int64) {
        guard let file = files.removeValue(forKey: id) else { return }
        Self.remove(id, at: file.key, from: &byKey)
        Self.remove(id, at: file.head, from: &byHead)
    }

    func under(_ key: FileKey) -> [KnownFile] { sorted(byKey[key]) }

    /// Those that begin as a file does, as far as they are known.
    func beginning(as prefixes: PrefixFingerprints) -> [KnownFile] {
        byHead.keys.filter { $0.length > 0 && prefixes.holds($0) }.flatMap { sorted(byHead[$0]) }
    }

    private func sorted(_ ids: Set<Int64>?) -> [KnownFile] {
        (ids ?? []).sorted().compactMap { files[$0] }
    }

    private static func remove<Key>(_ id: Int64, at key: Key, from index: inout [Key: Set<Int64>]) {
        index[key]?.remove(id)
        if index[key]?.isEmpty == true { index[key] = nil }
    }
}
