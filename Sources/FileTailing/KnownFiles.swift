/// Known files that nothing on disk has been matched with, to be found by inode or by head.
struct KnownFiles: Sendable {
    private var files: [Int64: KnownFile] = [:]
    private var byKey: [FileKey: Set<Int64>] = [:]
    private var byHead: [HeadFingerprint: Set<Int64>] = [:]
    /// How many heads of each length there are.
    private var headLengths: [Int: Int] = [:]

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
        if byHead[file.head] == nil { headLengths[file.head.length, default: 0] += 1 }
        byHead[file.head, default: []].insert(file.id)
    }

    mutating func remove(_ id: Int64) {
        guard let file = files.removeValue(forKey: id) else { return }
        Self.remove(id, at: file.key, from: &byKey)
        Self.remove(id, at: file.head, from: &byHead)
        guard byHead[file.head] == nil, let count = headLengths[file.head.length] else { return }
        headLengths[file.head.length] = count > 1 ? count - 1 : nil
    }

    func under(_ key: FileKey) -> [KnownFile] { sorted(byKey[key]) }

    /// Those that begin as a file does, as far as they are known.
    func beginning(as prefixes: PrefixFingerprints) -> [KnownFile] {
        headLengths.keys.sorted(by: >).filter { $0 > 0 }.compactMap { prefixes.fingerprint(of: $0) }
            .flatMap { sorted(byHead[$0]) }
    }

    private func sorted(_ ids: Set<Int64>?) -> [KnownFile] {
        (ids ?? []).sorted().compactMap { files[$0] }
    }

    private static func remove<Key>(_ id: Int64, at key: Key, from index: inout [Key: Set<Int64>]) {
        index[key]?.remove(id)
        if index[key]?.isEmpty == true { index[key] = nil }
    }
}
