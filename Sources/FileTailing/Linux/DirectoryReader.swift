import Glibc

/// One name in a directory.
struct DirectoryEntry {
    enum Kind {
        case file
        case directory
        case link
        case unknown
        case other
    }

    /// Valid until the next entry is read.
    var name: UnsafeRawBufferPointer
    var inode: UInt64
    var kind: Kind
    fileprivate var directory: Int32

    /// What the name leads to, through symbolic links; nil if that is gone.
    func status() -> stat? {
        guard let base = name.baseAddress else { return nil }
        var result = stat()
        // Safe: the kernel ends the name with a NUL behind the buffer.
        let path = base.assumingMemoryBound(to: CChar.self)
        return fstatat(directory, path, &result, 0) == 0 ? result : nil
    }

    var text: String { String(decoding: name, as: UTF8.self) }

    /// A number that stands for the name within its directory.
    var nameHash: UInt64 { forktailNameHash(name) }
}

/// FNV-1a: no allocation for each of the thousand names of an idle directory.
func forktailNameHash(_ name: UnsafeRawBufferPointer) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return hash
}

/// The names in a directory, one after another.
struct DirectoryReader {
    /// Gives each name but `.` and `..` to `body`.
    ///
    /// - Returns: the directory's own key.
    static func read(
        _ path: String,
        _ body: (DirectoryEntry) -> Void
    ) throws(TailError) -> FileKey {
        guard let stream = opendir(path) else { throw TailError(code: errno, path: path) }
        defer { closedir(stream) }
        let descriptor = dirfd(stream)
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw TailError(code: errno, path: path) }
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            visit(entry, descriptor, body)
        }
        guard errno == 0 else { throw TailError(code: errno, path: path) }
        return FileStatus(status).key
    }

    private static func visit(
        _ entry: UnsafeMutablePointer<dirent>,
        _ directory: Int32,
        _ body: (DirectoryEntry) -> Void
    ) {
        let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
        // Safe: the name lies in the entry and ends with a NUL.
        let start = UnsafeRawPointer(entry) + offset
        let length = strlen(start.assumingMemoryBound(to: CChar.self))
        let name = UnsafeRawBufferPointer(start: start, count: length)
        if name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) { return }
        body(
            DirectoryEntry(
                name: name,
                inode: UInt64(entry.pointee.d_ino),
                kind: DirectoryEntry.Kind(Int(entry.pointee.d_type)),
                directory: directory
            )
        )
    }
}

extension DirectoryEntry.Kind {
    fileprivate init(_ type: Int) {
        self =
            switch type {
            case Int(DT_REG): .file
            case Int(DT_DIR): .directory
            case Int(DT_LNK): .link
            case Int(DT_UNKNOWN): .unknown
            default: .other
            }
    }
}

extension stat {
    var isRegular: Bool { st_mode & S_IFMT == S_IFREG }
    var isDirectory: Bool { st_mode & S_IFMT == S_IFDIR }
}

/// A name in a directory as a path.
func joined(_ directory: String, _ name: String) -> String {
    directory == "." ? name : directory.hasSuffix("/") ? directory + name : directory + "/" + name
}
