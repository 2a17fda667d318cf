/// The one buffer into which a lane reads every file.
///
/// Not page-aligned: an address 64 bytes past a page makes the copy out of the page cache and into
/// the batches measurably cheaper than an aligned one.
final class ReadBuffer {
    private static let shift = 64

    private var storage: UnsafeMutableRawBufferPointer

    init(capacity: Int) {
        storage = Self.allocate(capacity)
    }

    deinit {
        storage.deallocate()
    }

    /// The first `length` bytes; the buffer grows when it has fewer.
    ///
    /// What an earlier window pointed at is gone then.
    func window(of length: Int) -> UnsafeMutableRawBufferPointer {
        if storage.count < length + Self.shift {
            storage.deallocate()
            storage = Self.allocate(length)
        }
        return UnsafeMutableRawBufferPointer(
            rebasing: storage[Self.shift..<(Self.shift + length)]
        )
    }

    private static func allocate(_ capacity: Int) -> UnsafeMutableRawBufferPointer {
        .allocate(byteCount: capacity + shift, alignment: 4096)
    }
}
