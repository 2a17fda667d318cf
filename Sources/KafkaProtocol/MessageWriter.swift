package import NIOCore

/// Writes a message's fields, and leaves record batches where they are.
///
/// Batches are not copied into the message: ``finish()`` returns the bytes around them and the
/// batches themselves as pieces, in order, for one gathering write.
package struct MessageWriter {
    private var buffer: ByteBuffer
    /// Where foreign bytes go between the written ones.
    private var splices: [(index: Int, bytes: ByteBuffer)] = []
    private var splicedBytes = 0
    /// Whether lengths are varints and structures end with tags.
    package var isFlexible: Bool

    package init(isFlexible: Bool, capacity: Int = 256) {
        self.buffer = ByteBufferAllocator().buffer(capacity: capacity)
        self.isFlexible = isFlexible
    }

    package var byteCount: Int { self.buffer.readableBytes + self.splicedBytes }

    package mutating func writeInteger<T: FixedWidthInteger>(_ value: T) {
        self.buffer.writeInteger(value)
    }

    package mutating func writeBool(_ value: Bool) {
        self.buffer.writeInteger(value ? 1 : 0, as: UInt8.self)
    }

    package mutating func writeUnsignedVarint(_ value: UInt32) {
        var rest = value
        while rest >= 0x80 {
            self.buffer.writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.buffer.writeInteger(UInt8(truncatingIfNeeded: rest))
    }

    package mutating func writeString(_ value: String) throws {
        try self.writeNullableString(value)
    }

    package mutating func writeNullableString(_ value: String?) throws {
        guard self.isFlexible else { return try self.writeShortNullableString(value) }
        try self.writeLength(value?.utf8.count)
        if let value { self.buffer.writeString(value) }
    }

    /// A text whose length is an int16 in every version, as the client's id is in headers.
    package mutating func writeShortNullableString(_ value: String?) throws {
        guard let value else { return self.writeInteger(Int16(-1)) }
        guard let length = Int16(exactly: value.utf8.count) else {
            throw ProtocolError.tooLong(value.utf8.count)
        }
        self.writeInteger(length)
        self.buffer.writeString(value)
    }

    package mutating func writeBytes(_ value: ByteBuffer) throws {
        try self.writeLength(value.readableBytes)
        self.buffer.writeImmutableBuffer(value)
    }

    /// Writes the length of `value` and refers to its bytes.
    package mutating func spliceNullableBytes(_ value: ByteBuffer?) throws {
        try self.writeLength(value?.readableBytes)
        guard let value, value.readableBytes > 0 else { return }
        self.splices.append((self.buffer.writerIndex, value))
        self.splicedBytes += value.readableBytes
    }

    package mutating func writeArray(
        _ elements: [some MessageStructure],
        version: Int16
    ) throws {
        try self.writeLength(elements.count)
        for element in elements { try element.write(to: &self, version: version) }
    }

    package mutating func writeNullableArray(
        _ elements: [some MessageStructure]?,
        version: Int16
    ) throws {
        guard let elements else { return try self.writeLength(nil) }
        try self.writeArray(elements, version: version)
    }

    /// Ends a structure that has no tags.
    package mutating func writeNoTags() {
        if self.isFlexible { self.writeUnsignedVarint(0) }
    }

    /// Ends a structure with the one tag that it has.
    package mutating func writeTag(
        _ tag: UInt32,
        _ write: (inout MessageWriter) throws -> Void
    ) throws {
        guard self.isFlexible else { return }
        self.writeUnsignedVarint(1)
        try self.writeTagContent(tag, write)
    }

    /// Writes one of the tags that end a structure; their count has been written.
    package mutating func writeTagContent(
        _ tag: UInt32,
        _ write: (inout MessageWriter) throws -> Void
    ) throws {
        var content = MessageWriter(isFlexible: true, capacity: 64)
        try write(&content)
        self.writeUnsignedVarint(tag)
        self.writeUnsignedVarint(UInt32(truncatingIfNeeded: content.buffer.readableBytes))
        self.buffer.writeImmutableBuffer(content.buffer)
    }

    /// The message in pieces.
    package consuming func finish() -> [ByteBuffer] {
        var pieces: [ByteBuffer] = []
        pieces.reserveCapacity(self.splices.count * 2 + 1)
        for splice in self.splices {
            let length = splice.index - self.buffer.readerIndex
            if let slice = self.buffer.readSlice(length: length), length > 0 {
                pieces.append(slice)
            }
            pieces.append(splice.bytes)
        }
        if self.buffer.readableBytes > 0 { pieces.append(self.buffer) }
        return pieces
    }

    /// Puts the number of bytes that follow it into the four bytes that begin the message.
    mutating func setFrameLength() throws {
        let length = self.byteCount - 4
        guard let length = Int32(exactly: length) else { throw ProtocolError.tooLong(length) }
        self.buffer.setInteger(length, at: 0)
    }

    private mutating func writeLength(_ length: Int?) throws {
        guard let length = Int32(exactly: length ?? -1), length < .max else {
            throw ProtocolError.tooLong(length ?? -1)
        }
        if self.isFlexible {
            self.writeUnsignedVarint(UInt32(length + 1))
        } else {
            self.writeInteger(length)
        }
    }
}
