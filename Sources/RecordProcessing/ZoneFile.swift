/// The contents of a TZif file (RFC 8536), versions 1 to 4.
struct ZoneFile {
    private(set) var times: [Int64] = []
    /// Seconds east of UTC from each time on.
    private(set) var offsets: [Int64] = []
    private(set) var firstOffset: Int64 = 0
    /// A POSIX TZ string for what comes after the last time.
    private(set) var footer = ""

    private struct Header {
        let version: UInt8
        let counts: [Int]

        var isUTCount: Int { counts[0] }
        var isStandardCount: Int { counts[1] }
        var leapCount: Int { counts[2] }
        var timeCount: Int { counts[3] }
        var typeCount: Int { counts[4] }
        var characterCount: Int { counts[5] }

        func size(timeSize: Int) -> Int {
            timeCount * (timeSize + 1) + typeCount * 6 + characterCount
                + leapCount * (timeSize + 4) + isStandardCount + isUTCount
        }
    }

    private static let headerSize = 44

    init?(_ bytes: [UInt8]) {
        guard let first = Self.header(bytes, at: 0) else { return nil }
        guard first.version >= UInt8(ascii: "2") else {
            guard read(bytes, at: Self.headerSize, first, timeSize: 4) else { return nil }
            return
        }
        // The first block is for readers of 32-bit times; the second says the same in 64.
        let start = Self.headerSize + first.size(timeSize: 4)
        guard let second = Self.header(bytes, at: start),
            read(bytes, at: start + Self.headerSize, second, timeSize: 8)
        else { return nil }
        readFooter(bytes, from: start + Self.headerSize + second.size(timeSize: 8))
    }

    private static func header(_ bytes: [UInt8], at start: Int) -> Header? {
        guard start >= 0, start + headerSize <= bytes.count,
            bytes[start..<(start + 4)].elementsEqual("TZif".utf8)
        else { return nil }
        let counts = (0..<6).map { Int(integer(bytes, at: start + 20 + $0 * 4, size: 4)) }
        guard counts.allSatisfy({ (0...100_000).contains($0) }), counts[4] > 0 else { return nil }
        return Header(version: bytes[start + 4], counts: counts)
    }

    private mutating func read(
        _ bytes: [UInt8],
        at start: Int,
        _ header: Header,
        timeSize: Int
    ) -> Bool {
        guard start + header.size(timeSize: timeSize) <= bytes.count else { return false }
        let indices = start + header.timeCount * timeSize
        let types = indices + header.timeCount
        let typeOffsets = (0..<header.typeCount).map {
            Self.integer(bytes, at: types + $0 * 6, size: 4)
        }
        firstOffset = typeOffsets[0]
        for index in 0..<header.timeCount {
            let type = Int(bytes[indices + index])
            guard type < typeOffsets.count else { return false }
            times.append(Self.integer(bytes, at: start + index * timeSize, size: timeSize))
            offsets.append(typeOffsets[type])
        }
        return times == times.sorted()
    }

    private mutating func readFooter(_ bytes: [UInt8], from start: Int) {
        guard start < bytes.count, bytes[start] == 0x0A else { return }
        footer = String(decoding: bytes[(start + 1)...].prefix { $0 != 0x0A }, as: UTF8.self)
    }

    private static func integer(_ bytes: [UInt8], at start: Int, size: Int) -> Int64 {
        let raw = bytes[start..<(start + size)].reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        return size == 4 ? Int64(Int32(truncatingIfNeeded: raw)) : Int64(bitPattern: raw)
    }
}
