import Glibc

/// Why a file's encoding cannot be decoded.
package struct TextDecoderError: Error, Equatable, CustomStringConvertible, Sendable {
    package let description: String
}

/// Turns text in another encoding into UTF-8, and places in the one into places in the other.
///
/// It remembers nothing of a file but the byte order, so that one decoder serves any number of
/// files in turn: before a chunk from the middle of a file, ``use(head:)`` is told how it begins.
/// What it decoded is valid until the next chunk, and the chunk must stay as long.
///
///     let text = decoder.decode(chunk, atFileStart: offset == 0, atEnd: false)
///     while let event = framer.next(in: text, atEnd: false) { … }
///     offset += Int64(decoder.sourceLength(ofDecoded: framer.position))
package final class TextDecoder {
    /// U+FFFD, the most that one byte becomes.
    fileprivate static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    /// Bytes of a file that one character takes at most.
    private static let longestCharacter = 4

    /// The encoding as it was declared.
    package let encoding: String
    /// Bytes of the shortest character; places in a file are multiples of it.
    package let unitLength: Int
    /// Invalid sequences that became U+FFFD; a chunk decoded twice counts twice.
    package private(set) var replacedCount = 0

    private let converters: [Converter]
    /// Index of the one for this file's byte order; little endian stands first.
    private var order = 0
    private let table: [ByteText]
    private var output = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private let scratch: UnsafeMutableRawBufferPointer
    private var source = UnsafeRawBufferPointer(start: nil, count: 0)
    private var isLast = false
    private var blocks = [Place()]
    /// The place that was asked for last.
    private var asked = Place()

    /// - Throws: `TextDecoderError` for a name that nobody knows, and for an encoding in which what
    ///   a byte means depends on bytes far before it.
    package init(encoding: String) throws(TextDecoderError) {
        self.encoding = encoding
        let name = EncodingName(encoding)
        unitLength = name.unitLength
        converters = try name.converters.map { name throws(TextDecoderError) in
            try Converter(from: name, calledBy: encoding)
        }
        table = name.isMultiByte ? [] : try converters[0].table(for: encoding)
        scratch = .allocate(byteCount: Place.blockLength, alignment: 1)
    }

    deinit {
        output.deallocate()
        scratch.deallocate()
    }

    /// Takes the byte order from a file's first four bytes, where its name says none.
    ///
    /// Without a byte-order mark it is little endian, as on every machine that Forktail runs on.
    package func use(head: UnsafeRawBufferPointer) {
        guard converters.count > 1 else { return }
        let mark: [UInt8] = unitLength == 4 ? [0, 0, 0xFE, 0xFF] : [0xFE, 0xFF]
        order = head.starts(with: mark) ? 1 : 0
    }

    /// A chunk as UTF-8, in memory that the next one uses again.
    ///
    /// A character that is not whole is left for the next chunk, unless `atEnd`. A byte-order mark
    /// is a character like any other: the framer passes it.
    package func decode(
        _ bytes: UnsafeRawBufferPointer,
        atFileStart: Bool,
        atEnd: Bool
    ) -> UnsafeRawBufferPointer {
        if atFileStart { use(head: bytes) }
        source = bytes
        isLast = atEnd
        asked = Place()
        blocks.removeAll(keepingCapacity: true)
        blocks.append(asked)
        reserve(bytes.count * Self.replacement.count)
        let end = decodeBlocks()
        replacedCount += end.replaced
        return UnsafeRawBufferPointer(rebasing: output[..<end.decoded])
    }

    /// Bytes of the chunk that its first `count` decoded bytes were made of.
    ///
    /// Exact at a character's edge; inside one it is the edge before. Cheap if asked in order.
    package func sourceLength(ofDecoded count: Int) -> Int {
        place(ofDecoded: count).source
    }

    /// Invalid sequences of the chunk that became U+FFFD among its first `count` decoded bytes.
    package func replacedCount(inDecoded count: Int) -> Int {
        place(ofDecoded: count).replaced
    }

    // MARK: Blocks

    private func decodeBlocks() -> Place {
        var place = Place()
        var isFull = true
        while isFull {
            let end = min(place.decoded + Place.blockLength, output.count)
            let block = UnsafeMutableRawBufferPointer(rebasing: output[place.decoded..<end])
            isFull = decode(from: &place, into: block)
            blocks.append(place)
        }
        return place
    }

    private func place(ofDecoded count: Int) -> Place {
        let block = blocks[blockIndex(ofDecoded: count)]
        var place = asked.decoded <= count && asked.decoded > block.decoded ? asked : block
        if place.decoded < count {
            let room = scratch[..<min(count - place.decoded, scratch.count)]
            _ = decode(from: &place, into: UnsafeMutableRawBufferPointer(rebasing: room))
        }
        asked = place
        return place
    }

    /// The last block that begins at or before a place.
    private func blockIndex(ofDecoded count: Int) -> Int {
        // Blocks are short of their length by a part of a character, so this is a block or two off.
        var index = min(count / Place.blockLength, blocks.count - 1)
        while index + 1 < blocks.count, blocks[index + 1].decoded <= count { index += 1 }
        while blocks[index].decoded > count { index -= 1 }
        return index
    }

    /// Decodes up to the end of the chunk or of the room; true if there was more to decode.
    private func decode(
        from place: inout Place,
        into room: UnsafeMutableRawBufferPointer
    ) -> Bool {
        if !table.isEmpty { return decodeBytes(from: &place, into: room) }
        var written = 0
        while place.source < source.count {
            let free = UnsafeMutableRawBufferPointer(rebasing: room[written...])
            if free.isEmpty { return true }
            // iconv converts all it is given before it sees that the room is full, and then again.
            let rest = source[place.source...].prefix(
                free.count * unitLength + Self.longestCharacter
            )
            let step = converters[order].convert(
                UnsafeRawBufferPointer(rebasing: rest),
                into: free
            )
            place.source += step.read
            place.decoded += step.written
            written += step.written
            switch step.stop {
            case .finished: break
            case .full: return true
            case .incomplete where rest.endIndex < source.count && step.read > 0: break
            // Not with more bytes than any character has: it is none, and more of it would not help.
            case .incomplete where !isLast && rest.endIndex == source.count: return false
            case .incomplete, .invalid:
                let text = Self.replacement
                guard room.count - written >= text.count else { return true }
                UnsafeMutableRawBufferPointer(rebasing: room[written...]).copyBytes(from: text)
                written += text.count
                place.replace(min(unitLength, source.count - place.source))
            }
        }
        return false
    }

    private func decodeBytes(
        from place: inout Place,
        into room: UnsafeMutableRawBufferPointer
    ) -> Bool {
        var written = 0
        for byte in source[place.source...] {
            let text = table[Int(byte)]
            guard room.count - written >= text.count else { return true }
            for index in 0..<text.count { room[written + index] = text[index] }
            written += text.count
            place.source += 1
            place.decoded += text.count
            place.replaced += text.isReplacement ? 1 : 0
        }
        return false
    }

    private func reserve(_ capacity: Int) {
        guard output.count < capacity else { return }
        output.deallocate()
        output = .allocate(byteCount: capacity, alignment: 1)
    }
}

/// A character's edge, in the source and in what was decoded.
private struct Place {
    /// Decoded bytes between two edges that are remembered.
    static let blockLength = 4096

    var decoded = 0
    var source = 0
    /// Invalid sequences before it.
    var replaced = 0

    /// Passes bytes that mean nothing.
    mutating func replace(_ length: Int) {
        source += length
        decoded += TextDecoder.replacement.count
        replaced += 1
    }
}

/// What a byte stands for in an encoding of one byte each: up to three bytes of UTF-8.
private struct ByteText {
    private var packed: UInt32 = 0
    private(set) var count = 0
    let isReplacement: Bool

    subscript(index: Int) -> UInt8 { UInt8(truncatingIfNeeded: packed &>> UInt32(8 * index)) }

    static var replacement: ByteText {
        var text = ByteText(isReplacement: true)
        for byte in TextDecoder.replacement { text.append(byte) }
        return text
    }

    init(isReplacement: Bool = false) {
        self.isReplacement = isReplacement
    }

    mutating func append(_ byte: UInt8) {
        packed |= UInt32(byte) << UInt32(8 * count)
        count += 1
    }
}

// MARK: - Names

/// What a declared name means to the decoder.
private struct EncodingName {
    /// What iconv calls it; twice, little endian first, where the file says the byte order.
    let converters: [String]
    let unitLength: Int
    let isMultiByte: Bool

    init(_ declared: String) {
        let key = declared.uppercased().filter { $0.isLetter || $0.isNumber }
        if let (names, unitLength) = Self.unicode[key] {
            converters = names
            self.unitLength = unitLength
            isMultiByte = true
        } else {
            converters = [Self.multiByte[key] ?? declared]
            unitLength = 1
            isMultiByte = Self.multiByte[key] != nil
        }
    }

    private static let unicode: [String: ([String], Int)] = [
        "UTF16": (["UTF-16LE", "UTF-16BE"], 2),
        "UTF16LE": (["UTF-16LE"], 2),
        "UTF16BE": (["UTF-16BE"], 2),
        "UCS2": (["UTF-16LE", "UTF-16BE"], 2),
        "UCS2LE": (["UTF-16LE"], 2),
        "UCS2BE": (["UTF-16BE"], 2),
        "UTF32": (["UTF-32LE", "UTF-32BE"], 4),
        "UTF32LE": (["UTF-32LE"], 4),
        "UTF32BE": (["UTF-32BE"], 4),
    ]

    // The ones in which a character's bytes mean the same wherever they stand.
    private static let multiByte: [String: String] = [
        "UTF8": "UTF-8",
        // As on the web: by the letter of Shift_JIS a backslash would be a yen sign.
        "SHIFTJIS": "CP932", "SJIS": "CP932",
        "CP932": "CP932", "MS932": "CP932", "WINDOWS31J": "CP932",
        "EUCJP": "EUC-JP", "UJIS": "EUC-JP", "EUCJPMS": "EUC-JP-MS",
        "GB2312": "EUC-CN", "EUCCN": "EUC-CN", "GB18030": "GB18030",
        "GBK": "GBK", "CP936": "GBK", "MS936": "GBK", "WINDOWS936": "GBK",
        "BIG5": "BIG5", "CP950": "BIG5", "EUCTW": "EUC-TW",
        "EUCKR": "EUC-KR", "UHC": "UHC", "CP949": "UHC", "JOHAB": "JOHAB",
    ]
}

// MARK: - iconv

/// A descriptor of iconv, from some encoding to UTF-8.
private final class Converter {
    enum Stop {
        case finished
        /// The next character does not fit.
        case full
        /// The source ends inside a character.
        case incomplete
        case invalid
    }

    private let descriptor: iconv_t
    /// Whether glibc 2.36 counts A2 E8 as read when it refuses it, unlike all else that it refuses.
    private let readsWhatItRefuses: Bool

    init(from name: String, calledBy declared: String) throws(TextDecoderError) {
        // An empty name would be the locale's encoding, and a slash begins iconv's options.
        let isName = !name.isEmpty && !name.contains { $0 == "/" || $0 == "," }
        guard isName, let descriptor = iconv_open("UTF-8", name), Int(bitPattern: descriptor) != -1
        else {
            throw TextDecoderError(
                description: "no encoding is called \"\(declared)\" (`iconv -l` lists those known)"
            )
        }
        self.descriptor = descriptor
        readsWhatItRefuses = name == "UHC"
    }

    deinit {
        iconv_close(descriptor)
    }

    func convert(
        _ source: UnsafeRawBufferPointer,
        into room: UnsafeMutableRawBufferPointer
    ) -> (read: Int, written: Int, stop: Stop) {
        // Safe: iconv only reads the source, though its parameter is not const.
        var from = UnsafeMutableRawPointer(mutating: source.baseAddress)?
            .assumingMemoryBound(to: CChar.self)
        var to = room.baseAddress?.assumingMemoryBound(to: CChar.self)
        var unread = source.count
        var free = room.count
        let result = iconv(descriptor, &from, &unread, &to, &free)
        let stop = result == -1 ? reason(errno) : .finished
        var read = source.count - unread
        if stop == .invalid, readsWhatItRefuses,
            source[..<read].suffix(2).elementsEqual([0xA2, 0xE8])
        {
            read -= 2
        }
        return (read, room.count - free, stop)
    }

    private func reason(_ code: Int32) -> Stop {
        switch code {
        case E2BIG: .full
        case EINVAL: .incomplete
        default: .invalid
        }
    }

    /// What each byte stands for by itself.
    ///
    /// iconv may hold a letter back until it knows what accent follows (windows-1258); text that
    /// is decoded byte by byte means the same, and is the same in chunks of any size.
    func table(for declared: String) throws(TextDecoderError) -> [ByteText] {
        var table: [ByteText] = []
        for byte in UInt8.min...UInt8.max {
            guard let text = text(of: byte) else {
                throw TextDecoderError(
                    description: "\"\(declared)\" cannot be read from the middle of a file, "
                        + "as tailing does; convert such files to UTF-8 first"
                )
            }
            table.append(text)
        }
        return table
    }

    /// Nil if the byte says nothing by itself.
    private func text(of byte: UInt8) -> ByteText? {
        iconv(descriptor, nil, nil, nil, nil)
        var text = ByteText()
        let isWhole = withUnsafeTemporaryAllocation(byteCount: 3, alignment: 1) { room in
            let step = withUnsafeBytes(of: byte) { convert($0, into: room) }
            switch step.stop {
            case .full, .incomplete: return false
            case .invalid: text = .replacement
            case .finished:
                let rest = UnsafeMutableRawBufferPointer(rebasing: room[step.written...])
                let held = flush(into: rest)
                for byte in room[..<(step.written + held)] { text.append(byte) }
            }
            return true
        }
        return isWhole && text.count > 0 ? text : nil
    }

    private func flush(into room: UnsafeMutableRawBufferPointer) -> Int {
        var to = room.baseAddress?.assumingMemoryBound(to: CChar.self)
        var free = room.count
        iconv(descriptor, nil, nil, &to, &free)
        return room.count - free
    }
}
