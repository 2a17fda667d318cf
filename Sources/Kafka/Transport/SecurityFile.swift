internal import Glibc

/// A file that a property names: what is in it, and whether that is still so.
struct SecurityFile {
    /// What changes when the file is written or another takes its name.
    struct Version: Equatable {
        var device: UInt64
        var inode: UInt64
        var size: Int64
        var changedSeconds: Int64
        var changedNanoseconds: Int64
    }

    private static let sizeLimit = 16 << 20  // a system's whole list of CAs is a quarter MiB

    let property: String
    let path: String

    /// Nil where there is no such file.
    var version: Version? {
        var info = stat()
        guard stat(self.path, &info) == 0 else { return nil }
        return Version(
            device: UInt64(info.st_dev),
            inode: UInt64(info.st_ino),
            size: Int64(info.st_size),
            changedSeconds: Int64(info.st_mtim.tv_sec),
            changedNanoseconds: Int64(info.st_mtim.tv_nsec)
        )
    }

    var isFolder: Bool {
        var info = stat()
        return stat(self.path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether others than the owner and its group may read it.
    var isReadableByAll: Bool {
        var info = stat()
        return stat(self.path, &info) == 0 && info.st_mode & S_IROTH != 0
    }

    func bytes() throws(KafkaProducerError) -> [UInt8] {
        let file = open(self.path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw self.error(String(cString: strerror(errno))) }
        defer { close(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(file, &block, block.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw self.error(String(cString: strerror(errno))) }
            guard count > 0 else { return bytes }
            bytes += block[..<count]
            guard bytes.count <= Self.sizeLimit else { throw self.error("it is too large") }
        }
    }

    /// What a file with one secret holds, without the line break that editors put at its end.
    func secret() throws(KafkaProducerError) -> Secret {
        var bytes = try self.bytes()
        while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") {
            bytes.removeLast()
        }
        guard !bytes.isEmpty else { throw self.error("it is empty") }
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw self.error("it is not text")
        }
        return Secret(text)
    }

    func error(_ reason: String) -> KafkaProducerError {
        .configuration("\(self.property): \(self.path): \(reason)")
    }
}
