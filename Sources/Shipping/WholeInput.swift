internal import FileTailing

/// The bytes of an input that is there as a whole, as a lane would read them from a file.
struct WholeInput {
    /// What a pipeline reads: of a compressed input, its content.
    let bytes: [UInt8]
    /// Why a compressed input cannot be read beyond its ``bytes``.
    let damage: String?

    /// - Parameter name: where the bytes come from; its ending tells of a compression of which there
    ///   are too few bytes to see.
    /// - Parameter decompresses: whether gzip and zstd are read as what is in them.
    /// - Parameter limit: bytes of content to take at most.
    /// - Returns: nil when there are more.
    /// - Throws: `TailError` when there is no memory to decompress.
    init?(
        _ bytes: [UInt8],
        name: String,
        decompresses: Bool,
        limit: Int
    ) throws(TailError) {
        let file = try TailedFile(BytesFile(bytes), path: name, decompresses: decompresses)
        guard file.isCompressed else {
            self.bytes = bytes
            damage = nil
            return
        }
        var content: [UInt8] = []
        var position = TailPosition.start
        var isAtEnd = false
        var block = [UInt8](repeating: 0, count: 256 * 1024)
        while !isAtEnd {
            var chunk: Result<ChunkRead, TailError>?
            block.withUnsafeMutableBytes { buffer in
                do throws(TailError) {
                    let read = try file.read(at: position, into: buffer)
                    content.append(contentsOf: read.bytes(of: buffer))
                    chunk = .success(read)
                } catch {
                    chunk = .failure(error)
                }
            }
            isAtEnd = try chunk?.get().reachedEnd ?? true
            position = TailPosition(offset: Int64(content.count), guardBytes: [])
            if content.count > limit { return nil }
        }
        self.bytes = content
        damage = file.damage?.reason
    }
}

/// Bytes in memory as an open file.
private final class BytesFile: DiskFile {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int {
        let start = min(Int(clamping: offset), bytes.count)
        let count = min(buffer.count, bytes.count - start)
        buffer.copyBytes(from: bytes[start..<(start + count)])
        return count
    }

    func status() -> FileStatus {
        FileStatus(
            key: FileKey(device: 0, inode: 0),
            size: Int64(bytes.count),
            modified: 0,
            kind: .regular
        )
    }

    var birthTime: Int64? { nil }
}
