import CPlatform
import Glibc

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

/// What `fstat` says of an open file.
package struct FileStatus: Equatable, Sendable {
    package var key: FileKey
    package var size: Int64
    /// Nanoseconds since 1970.
    package var modified: Int64
    /// 0 when its last name is gone.
    package var linkCount: UInt64
    package var isRegular: Bool
}

/// Why a file could not be opened or read.
package struct TailError: Error, Equatable, CustomStringConvertible {
    package var code: Int32
    package var path: String

    /// Whether the name leads nowhere, or to something else than before.
    package var isGone: Bool { code == ENOENT || code == ENOTDIR || code == ESTALE }

    /// Whether the process or the system has no descriptor left.
    package var isDescriptorLimit: Bool { code == EMFILE || code == ENFILE }

    package var reason: String { String(cString: strerror(code)) }

    package var description: String { "cannot read '\(path)': \(reason)" }
}

/// A file held open, whatever becomes of its name.
package final class TailedFile: Sendable {
    package let key: FileKey
    package let path: String
    private let descriptor: Int32

    /// Opens the regular file at `path`.
    ///
    /// - Throws: with `isGone` if there is none, or if `expected` is given and another file is
    ///   there now.
    package init(opening path: String, expecting expected: FileKey? = nil) throws(TailError) {
        // Non-blocking: a FIFO may have taken the name since it was looked at.
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw TailError(code: errno, path: path) }
        guard let status = readStatus(descriptor), status.isRegular,
            expected == nil || expected == status.key
        else {
            Glibc.close(descriptor)
            throw TailError(code: ESTALE, path: path)
        }
        self.key = status.key
        self.path = path
        self.descriptor = descriptor
    }

    deinit {
        Glibc.close(descriptor)
    }

    package func status() throws(TailError) -> FileStatus {
        guard let status = readStatus(descriptor) else { throw failure() }
        return status
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
        let count = try fill(buffer, at: position.offset - Int64(guardLength))
        let held = count >= guardLength && startsWith(buffer, position.guardBytes)
        let isShort = count < buffer.count
        // A short read that brought something ended at the file's end.
        let end = position.offset + Int64(count - guardLength)
        let size = count == 0 && position.offset > 0 ? try status().size : end
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
        let birthTime = forktail_birth_time(descriptor)
        return FileEvidence(
            key: status.key,
            size: status.size,
            modified: status.modified,
            birthTime: birthTime < 0 ? nil : birthTime,
            head: try bytes(0..<Int64(HeadFingerprint.fullLength))
        )
    }

    /// The bytes to remember a place by.
    package func guardBytes(before offset: Int64) throws(TailError) -> [UInt8] {
        try bytes(max(0, offset - Int64(TailPosition.guardLength))..<offset)
    }

    /// Some bytes of the file, fewer if it ends before.
    private func bytes(_ range: Range<Int64>) throws(TailError) -> [UInt8] {
        if range.isEmpty { return [] }
        var result = [UInt8](repeating: 0, count: range.count)
        var outcome: Result<Int, TailError> = .success(0)
        result.withUnsafeMutableBytes { buffer in
            do throws(TailError) {
                outcome = .success(try fill(buffer, at: range.lowerBound))
            } catch {
                outcome = .failure(error)
            }
        }
        return Array(result.prefix(try outcome.get()))
    }

    private func fill(
        _ buffer: UnsafeMutableRawBufferPointer,
        at offset: Int64
    ) throws(TailError) -> Int {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            guard errno == EINTR else { throw failure() }
        }
    }

    private func startsWith(_ buffer: UnsafeMutableRawBufferPointer, _ bytes: [UInt8]) -> Bool {
        buffer.prefix(bytes.count).elementsEqual(bytes)
    }

    private func failure() -> TailError {
        TailError(code: errno, path: path)
    }
}

private func readStatus(_ descriptor: Int32) -> FileStatus? {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    return FileStatus(status)
}

extension FileStatus {
    init(_ status: stat) {
        let seconds = Int64(status.st_mtim.tv_sec)
        self.init(
            key: FileKey(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)),
            size: Int64(status.st_size),
            modified: seconds &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec),
            linkCount: UInt64(status.st_nlink),
            isRegular: status.st_mode & S_IFMT == S_IFREG
        )
    }
}
