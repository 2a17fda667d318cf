package import NIOCore

/// Takes a message's fields from a broker's or client's bytes, trusting none of them.
package struct MessageReader {
    package private(set) var buffer: ByteBuffer
    /// Whether lengths are varints and structures end with tags.
    package var isFlexible: Bool

    package init(_ buffer: ByteBuffer, isFlexible: Bool) {
        self.buffer = buffer
        self.isFlexible = isFlexible
    }

    package var remainingBytes: Int { self.buffer.readableBytes }

    package mutating func readInteger<T: FixedWidthInteger>(as type: T.Type = T.self) throws -> T {
        guard let value = self.buffer.readInteger(as: type) else { throw ProtocolError.truncated }
        return value
    }

    package mutating func readBool() throws -> Bool {
        try self.readInteger(as: UInt8.self) != 0
    }

    package mutating func readUnsignedVarint() throws -> UInt32 {
        var value: UInt32 = 0
        for shift in stride(from: UInt32(0), to: 35, by: 7) {
            let byte = try self.readInteger(as: UInt8.self)
            guard shift < 28 || byte & 0xF0 == 0 else { throw ProtocolError.invalidVarint }
            value |= UInt32(byte & 0x7F) << shift
            guard byte & 0x80 != 0 else { return value }
        }
        throw ProtocolError.invalidVarint
    }

    package mutating func readString() throws -> String {
        guard let value = try self.readNullableString() else { throw ProtocolError.unexpectedNull }
        return value
    }

    package mutating func readNullableString() throws -> String? {
        guard self.isFlexible else { return try self.readShortNullableString() }
        guard let length = try self.readCompactLength() else { return nil }
        return try self.take(length).readString(length: length)
    }

    /// A text whose length is an int16 in every version, as the client's id is in headers.
    package mutating func readShortNullableString() throws -> String? {
        guard let length = try self.checked(Int64(self.readInteger(as: Int16.self))) else {
            return nil
        }
        return try self.take(length).readString(length: length)
    }

    package mutating func readBytes() throws -> ByteBuffer {
        guard let value = try self.readNullableBytes() else { throw ProtocolError.unexpectedNull }
        return value
    }

    /// A slice of the message, without a copy.
    package mutating func readNullableBytes() throws -> ByteBuffer? {
        let length =
            self.isFlexible
            ? try self.readCompactLength()
            : try self.checked(Int64(self.readInteger(as: Int32.self)))
        return try length.map { try self.take($0) }
    }

    package mutating func readArray<Element: MessageStructure>(
        of type: Element.Type = Element.self,
        version: Int16
    ) throws -> [Element] {
        guard let elements = try self.readNullableArray(of: type, version: version) else {
            throw ProtocolError.unexpectedNull
        }
        return elements
    }

    package mutating func readNullableArray<Element: MessageStructure>(
        of type: Element.Type = Element.self,
        version: Int16
    ) throws -> [Element]? {
        let length =
            self.isFlexible
            ? try self.readCompactLength()
            : try self.checked(Int64(self.readInteger(as: Int32.self)))
        guard let count = length else { return nil }
        // The count was checked against the bytes left: each element takes one at least.
        var elements: [Element] = []
        elements.reserveCapacity(min(count, 64))
        for _ in 0..<count { elements.append(try Element(from: &self, version: version)) }
        return elements
    }

    /// Passes over the tags that end a structure.
    package mutating func skipTags() throws {
        try self.readTags { _, _ in }
    }

    /// Reads the tags that end a structure; those that `read` does not read are passed over.
    package mutating func readTags(
        _ read: (_ tag: UInt32, _ reader: inout MessageReader) throws -> Void
    ) throws {
        guard self.isFlexible else { return }
        let count = try self.readUnsignedVarint()
        guard Int(count) <= self.remainingBytes else {
            throw ProtocolError.invalidLength(Int64(count))
        }
        for _ in 0..<count {
            let tag = try self.readUnsignedVarint()
            let length = Int(try self.readUnsignedVarint())
            var content = MessageReader(try self.take(length), isFlexible: true)
            try read(tag, &content)
        }
    }

    /// Checks that the message ends here.
    package func finish() throws {
        guard self.remainingBytes == 0 else {
            throw ProtocolError.trailingBytes(self.remainingBytes)
        }
    }

    private mutating func take(_ length: Int) throws -> ByteBuffer {
        guard let slice = self.buffer.readSlice(length: length) else {
            throw ProtocolError.truncated
        }
        return slice
    }

    private mutating func readCompactLength() throws -> Int? {
        try self.checked(Int64(self.readUnsignedVarint()) - 1)
    }

    private func checked(_ length: Int64) throws -> Int? {
        guard length != -1 else { return nil }
        guard length >= 0, length <= self.remainingBytes else {
            throw ProtocolError.invalidLength(length)
        }
        return Int(length)
    }
}

extension ByteBuffer {
    fileprivate consuming func readString(length: Int) -> String {
        self.getString(at: self.readerIndex, length: length) ?? ""
    }
}
