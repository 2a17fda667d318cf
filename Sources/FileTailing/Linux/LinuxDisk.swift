import CPlatform
import Glibc

/// The machine's own disk.
package struct LinuxDisk: Disk {
    package init() {}

    package func open(_ path: String) throws(TailError) -> any DiskFile {
        try LinuxFile(path)
    }

    package func list(
        _ path: String,
        _ body: (DirectoryEntry) -> Void
    ) throws(TailError) -> FileKey {
        let directory = try LinuxDirectory(path)
        try directory.forEachEntry(body)
        return directory.key
    }

    package func makeHints() throws(TailError) -> any DirectoryHints {
        try Inotify()
    }
}

/// A file held open, whatever becomes of its name.
private final class LinuxFile: DiskFile {
    private let descriptor: Int32
    private let path: String

    init(_ path: String) throws(TailError) {
        // Non-blocking: a FIFO may have taken the name since it was looked at.
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        self.path = path
        if descriptor < 0 { throw TailError(code: errno, path: path) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int64
    ) throws(TailError) -> Int {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            guard errno == EINTR else { throw TailError(code: errno, path: path) }
        }
    }

    func status() throws(TailError) -> FileStatus {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw TailError(code: errno, path: path) }
        return FileStatus(status)
    }

    var birthTime: Int64? {
        let time = forktail_birth_time(descriptor)
        return time < 0 ? nil : time
    }
}

private final class LinuxDirectory: OpenDirectory {
    let key: FileKey
    private let path: String
    private let stream: OpaquePointer

    init(_ path: String) throws(TailError) {
        guard let stream = opendir(path) else { throw TailError(code: errno, path: path) }
        var status = stat()
        guard fstat(dirfd(stream), &status) == 0 else {
            closedir(stream)
            throw TailError(code: errno, path: path)
        }
        self.path = path
        self.stream = stream
        key = FileStatus(status).key
    }

    deinit {
        closedir(stream)
    }

    func status(of name: UnsafeRawBufferPointer) -> FileStatus? {
        guard let base = name.baseAddress else { return nil }
        var result = stat()
        // Safe: the kernel ends the name with a NUL behind the buffer.
        let path = base.assumingMemoryBound(to: CChar.self)
        return fstatat(dirfd(stream), path, &result, 0) == 0 ? FileStatus(result) : nil
    }

    func forEachEntry(_ body: (DirectoryEntry) -> Void) throws(TailError) {
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            visit(entry, body)
        }
        guard errno == 0 else { throw TailError(code: errno, path: path) }
    }

    private func visit(
        _ entry: UnsafeMutablePointer<dirent>,
        _ body: (DirectoryEntry) -> Void
    ) {
        let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
        // Safe: the name lies in the entry and ends with a NUL.
        let start = UnsafeRawPointer(entry) + offset
        let length = strlen(start.assumingMemoryBound(to: CChar.self))
        let name = UnsafeRawBufferPointer(start: start, count: length)
        if name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) { return }
        let kind = DirectoryEntry.Kind(Int(entry.pointee.d_type))
        body(DirectoryEntry(name: name, inode: UInt64(entry.pointee.d_ino), kind: kind, in: self))
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

extension FileStatus {
    fileprivate init(_ status: stat) {
        let seconds = Int64(status.st_mtim.tv_sec)
        let kind: Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            default: .other
            }
        self.init(
            key: FileKey(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)),
            size: Int64(status.st_size),
            modified: seconds &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec),
            kind: kind,
            links: Int(status.st_nlink)
        )
    }
}
