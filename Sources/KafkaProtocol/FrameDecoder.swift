package import NIOCore

/// Cuts what a socket delivers into messages, each preceded by its length.
package struct FrameDecoder: Sendable {
    /// A longer message is refused before memory is taken for it.
    package let limit: Int
    private var buffer = ByteBuffer()

    package init(limit: Int) {
        self.limit = limit
    }

    package mutating func append(_ bytes: ByteBuffer) {
        if self.buffer.readableBytes == 0 {
            self.buffer = bytes
        } else {
            self.buffer.discardReadBytes()
            self.buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next whole message without its length, or nil until more bytes are there.
    package mutating func next() throws -> ByteBuffer? {
        guard let length = self.buffer.getInteger(at: self.buffer.readerIndex, as: Int32.self)
        else { return nil }
        guard length >= 0 else { throw ProtocolError.invalidLength(Int64(length)) }
        guard Int(length) <= self.limit else {
            throw ProtocolError.frameTooLarge(size: Int(length), limit: self.limit)
        }
        guard self.buffer.readableBytes >= 4 + Int(length) else { return nil }
        self.buffer.moveReaderIndex(forwardBy: 4)
        return self.buffer.readSlice(length: Int(length))
    }
}
