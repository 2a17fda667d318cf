/// What stands in a buffer after a read: the guard, then the new bytes.
package struct ChunkRead: Equatable, Sendable {
    /// The place that was asked for.
    package var offset: Int64
    /// Bytes of the guard at the buffer's head.
    package var guardLength: Int
    /// New bytes behind the guard.
    package var bytesRead: Int
    package var guardHeld: Bool
    package var sizeNow: Int64
    /// Whether the file held less than was asked for.
    package var reachedEnd: Bool

    /// The new bytes of the buffer that was read into.
    package func bytes(of buffer: UnsafeMutableRawBufferPointer) -> UnsafeRawBufferPointer {
        let range = guardLength..<(guardLength + bytesRead)
        return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[range])
    }

    /// What to tell the tail, when `consumed` of the new bytes are framed.
    package func result(
        consumed: Int,
        of buffer: UnsafeMutableRawBufferPointer
    ) -> ReadResult {
        ReadResult(
            bytesRead: bytesRead,
            guardHeld: guardHeld,
            sizeNow: sizeNow,
            endOffsetOfLastWholeEvent: offset + Int64(consumed),
            guardBytes: guardBytes(before: consumed, of: buffer)
        )
    }

    /// The bytes to remember a place by, `consumed` bytes behind the asked one.
    package func guardBytes(
        before consumed: Int,
        of buffer: UnsafeMutableRawBufferPointer
    ) -> [UInt8] {
        let end = guardLength + consumed
        return Array(buffer[max(0, end - TailPosition.guardLength)..<end])
    }
}

/// A file held open, whatever becomes of its name.
///
/// A compressed one reads as what is in it, at the offsets of that.
package final class TailedFile: Sendable {
    package let key: FileKey
    package let path: String
    private let file: any DiskFile

    /// Opens the regular file at `path`.
    ///
    /// - Parameter decompresses: whether a gzip or zstd file is read as what is in it.
    /// - Throws: with `isGone` if there is none, or if `expected` is given and another file is
    ///   there now.
    package convenience init(
        opening path: String,
        on disk: any Disk,
        expecting expected: FileKey? = nil,
        decompresses: Bool = true
    ) throws(TailError) {
        let file = try disk.open(path)
        let status = try file.status()
        guard status.kind == .regular, expected == nil || expected == status.key else {
            throw .gone(path)
        }
        try self.init(file, path: path, status, decompresses: decompresses)
    }

    /// Reads an open file.
    ///
    /// - Parameter path: what it is called; its ending tells of a compression of which there are too
    ///   few bytes to see.
    package convenience init(
        _ file: any DiskFile,
        path: String,
        decompresses: Bool
    ) throws(TailError) {
        try self.init(file, path: path, try file.status(), decompresses: decompresses)
    }

    private init(
        _ file: any DiskFile,
        path: String,
        _ status: FileStatus,
        decompresses: Bool
    ) throws(TailError) {
        self.key = status.key
        self.path = path
        guard decompresses, status.size > 0 || path.hasSuffix(".gz") || path.hasSuffix(".zst")
        else {
            self.file = file
            return
        }
        let compression = FileCompression(head: try file.bytes(0..<4), path: path)
        self.file = compression.map { DecompressedFile(file, compression: $0) } ?? file
    }

    package func status() throws(TailError) -> FileStatus { try file.status() }

    package var isCompressed: Bool { compressed != nil }

    private var compressed: DecompressedFile? { file as? DecompressedFile }

    /// Bytes on disk that what was read so far is in.
    package var compressedOffset: Int64? { compressed?.compressedOffset }

    /// Why a compressed file cannot be read beyond where the last read ended.
    ///
    /// One that ends early may be being written still.
    package var damage: (reason: String, mayGoOn: Bool)? {
        switch compressed?.end {
        case .damaged(let reason, let offset): ("\(reason), at byte \(offset)", false)
        case .incomplete: ("it ends within a compressed member", true)
        case .unknown, .whole, nil: nil
        }
    }

    /// Reads the guard and what follows a position in one call, and compares the guard.
    ///
    /// The buffer must hold more than the 64 bytes of a guard.
    package func read(
        at position: TailPosition,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(TailError) -> ChunkRead {
        let guardLength = position.guardBytes.count
        precondition(guardLength < buffer.count, "the buffer holds no more than the guard")
        let count = try file.read(into: buffer, at: position.offset - Int64(guardLength))
        let held = count >= guardLength && startsWith(buffer, position.guardBytes)
        let isShort = count < buffer.count
        let end = position.offset + Int64(count - guardLength)
        // A short read that brought something ended at the file's end, and of a compressed file
        // nobody knows how much more is in it.
        let isEnd = isCompressed || isShort && (count > 0 || position.offset == 0)
        let size = isEnd ? end : try status().size
        return ChunkRead(
            offset: position.offset,
            guardLength: min(guardLength, count),
            bytesRead: max(0, count - guardLength),
            guardHeld: held,
            sizeNow: size,
            reachedEnd: isShort
        )
    }

    /// What the file looks like now.
    package func evidence() throws(TailError) -> FileEvidence {
        let status = try status()
        return FileEvidence(
            key: status.key,
            size: status.size,
            modified: status.modified,
            birthTime: file.birthTime,
            head: try file.bytes(0..<Int64(HeadFingerprint.fullLength)),
            isCompressed: isCompressed
        )
    }

    /// The first bytes of the file, fewer if it has not as many.
    package func head(_ count: Int) throws(TailError) -> [UInt8] {
        try file.bytes(0..<Int64(count))
    }

    /// The bytes to remember a place by; fewer if the file ends before it.
    package func guardBytes(before offset: Int64) throws(TailError) -> [UInt8] {
        try file.bytes(max(0, offset - Int64(TailPosition.guardLength))..<offset)
    }

    /// Where the file ends now; of a compressed one, all of it is decoded for that.
    package func endPosition() throws(TailError) -> TailPosition {
        let size: Int64
        if let compressed {
            size = try compressed.contentSize()
        } else {
            size = try file.status().size
        }
        return TailPosition(offset: size, guardBytes: try guardBytes(before: size))
    }

    private func startsWith(_ buffer: UnsafeMutableRawBufferPointer, _ bytes: [UInt8]) -> Bool {
        buffer.prefix(bytes.count).elementsEqual(bytes)
    }
}

extension DiskFile {
    /// Some bytes of the file, fewer if it ends before.
    fileprivate func bytes(_ range: Range<Int64>) throws(TailError) -> [UInt8] {
        if range.isEmpty { return [] }
        var result = [UInt8](repeating: 0, count: range.count)
        var outcome: Result<Int, TailError> = .success(0)
        result.withUnsafeMutableBytes { buffer in
            do throws(TailError) {
                outcome = .success(try read(into: buffer, at: range.lowerBound))
            } catch {
                outcome = .failure(error)
            }
        }
        let count = try outcome.get()
        return Array(result.prefix(count))
    }
}
