package import NIOCore

/// Reads snappy, both plain and in the frames that Java writes.
package enum SnappyDecoder {
    /// What begins Java's frames: a name, then two versions of four bytes each.
    private static let frameMagic: [UInt8] = [0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0x00]
    private static let frameHeaderSize = 16

    package static func decode(
        _ bytes: UnsafeRawBufferPointer,
        limit: Int
    ) throws -> ByteBuffer {
        var output = ByteBuffer()
        guard bytes.count >= self.frameHeaderSize, bytes.starts(with: self.frameMagic) else {
            try self.decodeBlock(bytes, into: &output, limit: limit)
            return output
        }
        var rest = UnsafeRawBufferPointer(rebasing: bytes[self.frameHeaderSize...])
        while !rest.isEmpty {
            guard rest.count >= 4 else { throw self.broken }
            let length = Int(UInt32(bigEndian: rest.loadUnaligned(as: UInt32.self)))
            guard length <= rest.count - 4 else { throw self.broken }
            let block = UnsafeRawBufferPointer(rebasing: rest[4..<(4 + length)])
            try self.decodeBlock(block, into: &output, limit: limit)
            rest = UnsafeRawBufferPointer(rebasing: rest[(4 + length)...])
        }
        return output
    }

    private static let broken = ProtocolError.invalidCompression("the snappy block is broken")

    private static func decodeBlock(
        _ block: UnsafeRawBufferPointer,
        into output: inout ByteBuffer,
        limit: Int
    ) throws {
        var index = 0
        let size = try self.readLength(block, at: &index)
        guard size <= limit - output.readableBytes else {
            throw ProtocolError.decompressedTooLarge(limit: limit)
        }
        // Three bytes make 64 at most, so a short block cannot claim much memory.
        guard size / 22 <= block.count else { throw self.broken }
        try output.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { target in
            let room = UnsafeMutableRawBufferPointer(rebasing: target[..<size])
            try self.copyElements(block, from: index, to: room)
            return size
        }
    }

    private static func readLength(
        _ block: UnsafeRawBufferPointer,
        at index: inout Int
    ) throws -> Int {
        var value = 0
        for shift in stride(from: 0, to: 35, by: 7) {
            guard index < block.count else { throw self.broken }
            let byte = block[index]
            index += 1
            value |= Int(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw self.broken
    }

    private static func copyElements(
        _ block: UnsafeRawBufferPointer,
        from start: Int,
        to target: UnsafeMutableRawBufferPointer
    ) throws {
        var index = start
        var end = 0
        while index < block.count {
            let tag = Int(block[index])
            index += 1
            if tag & 3 == 0 {
                let length = try self.literalLength(tag >> 2, block, at: &index)
                guard length <= block.count - index, length <= target.count - end else {
                    throw self.broken
                }
                let source = UnsafeRawBufferPointer(rebasing: block[index..<(index + length)])
                UnsafeMutableRawBufferPointer(rebasing: target[end...]).copyMemory(from: source)
                index += length
                end += length
            } else {
                let (length, offset) = try self.copyOf(tag, block, at: &index)
                guard offset > 0, offset <= end, length <= target.count - end else {
                    throw self.broken
                }
                // Byte by byte: a copy may read what it has just written.
                for position in end..<(end + length) {
                    target[position] = target[position - offset]
                }
                end += length
            }
        }
        guard end == target.count else { throw self.broken }
    }

    private static func literalLength(
        _ code: Int,
        _ block: UnsafeRawBufferPointer,
        at index: inout Int
    ) throws -> Int {
        guard code >= 60 else { return code + 1 }
        return try self.littleEndian(code - 59, block, at: &index) + 1
    }

    private static func copyOf(
        _ tag: Int,
        _ block: UnsafeRawBufferPointer,
        at index: inout Int
    ) throws -> (length: Int, offset: Int) {
        switch tag & 3 {
        case 1:
            let low = try self.littleEndian(1, block, at: &index)
            return (4 + (tag >> 2) & 7, (tag >> 5) << 8 | low)
        case 2: return (1 + tag >> 2, try self.littleEndian(2, block, at: &index))
        default: return (1 + tag >> 2, try self.littleEndian(4, block, at: &index))
        }
    }

    private static func littleEndian(
        _ count: Int,
        _ block: UnsafeRawBufferPointer,
        at index: inout Int
    ) throws -> Int {
        guard count <= block.count - index else { throw self.broken }
        var value = 0
        for byte in 0..<count { value |= Int(block[index + byte]) << (8 * byte) }
        index += count
        return value
    }
}

/// Writes plain snappy, which Java reads too.
struct SnappyEncoder {
    private static let tableBits = 14
    private static let blockSize = 65_536
    /// Where in the block four bytes of that hash were seen last.
    private var table = [UInt16](repeating: 0, count: 1 << Self.tableBits)

    /// Bytes that `count` bytes take at most.
    static func bound(_ count: Int) -> Int { 32 + count + count / 6 }

    /// Compresses `input`; `output` must have room for ``bound(_:)`` bytes.
    mutating func encode(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) -> Int {
        var end = 0
        var rest = input.count
        while rest >= 0x80 {
            output[end] = UInt8(truncatingIfNeeded: rest) | 0x80
            rest >>= 7
            end += 1
        }
        output[end] = UInt8(rest)
        end += 1
        for start in stride(from: 0, to: input.count, by: Self.blockSize) {
            let block = input[start..<min(start + Self.blockSize, input.count)]
            self.encode(block: UnsafeRawBufferPointer(rebasing: block), into: output, at: &end)
        }
        return end
    }

    private mutating func encode(
        block: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer,
        at end: inout Int
    ) {
        for index in self.table.indices { self.table[index] = 0 }
        var literal = 0
        var index = 1
        while index + 4 <= block.count {
            let word = block.loadUnaligned(fromByteOffset: index, as: UInt32.self)
            let slot = Int((word &* 0x1E35_A7BD) >> UInt32(32 - Self.tableBits))
            let candidate = Int(self.table[slot])
            self.table[slot] = UInt16(truncatingIfNeeded: index)
            guard candidate < index,
                block.loadUnaligned(fromByteOffset: candidate, as: UInt32.self) == word
            else {
                // The longer nothing matches, the larger the steps.
                index += 1 + (index - literal) >> 5
                continue
            }
            var length = 4
            while index + length < block.count, block[candidate + length] == block[index + length] {
                length += 1
            }
            Self.writeLiteral(block[literal..<index], into: output, at: &end)
            Self.writeCopy(offset: index - candidate, length, into: output, at: &end)
            index += length
            literal = index
        }
        Self.writeLiteral(block[literal...], into: output, at: &end)
    }

    private static func writeLiteral(
        _ bytes: Slice<UnsafeRawBufferPointer>,
        into output: UnsafeMutableRawBufferPointer,
        at end: inout Int
    ) {
        guard !bytes.isEmpty else { return }
        let code = bytes.count - 1
        let extra = code < 60 ? 0 : code < 256 ? 1 : 2
        output[end] = UInt8(truncatingIfNeeded: (extra == 0 ? code : 59 + extra) << 2)
        for byte in 0..<extra {
            output[end + 1 + byte] = UInt8(truncatingIfNeeded: code >> (8 * byte))
        }
        end += 1 + extra
        let target = UnsafeMutableRawBufferPointer(rebasing: output[end...])
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes))
        end += bytes.count
    }

    private static func writeCopy(
        offset: Int,
        _ length: Int,
        into output: UnsafeMutableRawBufferPointer,
        at end: inout Int
    ) {
        var rest = length
        while rest > 0 {
            let part = min(rest, 64)
            output[end] = UInt8(truncatingIfNeeded: (part - 1) << 2 | 2)
            output[end + 1] = UInt8(truncatingIfNeeded: offset)
            output[end + 2] = UInt8(truncatingIfNeeded: offset >> 8)
            end += 3
            rest -= part
        }
    }
}
