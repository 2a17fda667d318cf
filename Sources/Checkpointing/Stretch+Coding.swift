/// Stretches as a few bytes, as the journal keeps them.
///
/// A list of numbers of variable length: seven bits in each byte, the lowest first.
extension Stretch {
    package static func encode(_ stretches: [Stretch]) -> [UInt8] {
        var bytes: [UInt8] = []
        for stretch in stretches {
            for number in stretch.numbers { append(UInt64(bitPattern: number), to: &bytes) }
        }
        return bytes
    }

    /// Nil if the bytes are not such.
    package static func decode(_ bytes: [UInt8]) -> [Stretch]? {
        guard let numbers = numbers(in: bytes), numbers.count.isMultiple(of: 7) else { return nil }
        var stretches: [Stretch] = []
        for start in stride(from: 0, to: numbers.count, by: 7) {
            guard let stretch = Stretch(numbers: numbers[start..<start + 7]) else { return nil }
            stretches.append(stretch)
        }
        return stretches
    }

    private var numbers: [Int64] {
        let length = through.position &- from.position
        return [
            file, generation, pipelineVersion, routing.number, from.position, length, Int64(count),
        ]
    }

    private init?(numbers: ArraySlice<Int64>) {
        let numbers = Array(numbers)
        guard let routing = Routing(number: numbers[3]), let count = Int32(exactly: numbers[6])
        else { return nil }
        self.init(
            file: numbers[0],
            generation: numbers[1],
            pipelineVersion: numbers[2],
            routing: routing,
            from: RecordPlace(position: numbers[4]),
            through: RecordPlace(position: numbers[4] &+ numbers[5]),
            count: count
        )
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func numbers(in bytes: [UInt8]) -> [Int64]? {
        var numbers: [Int64] = []
        var number: UInt64 = 0
        var shift: UInt64 = 0
        for byte in bytes {
            guard shift < 64 else { return nil }
            number |= UInt64(byte & 0x7F) << shift
            shift += 7
            if byte & 0x80 != 0 { continue }
            numbers.append(Int64(bitPattern: number))
            (number, shift) = (0, 0)
        }
        return shift == 0 ? numbers : nil
    }
}

extension Stretch.Routing {
    fileprivate var number: Int64 {
        switch self {
        case .answer: 0
        case .sticky: 1
        case .partitionCount(let count): Int64(count) + 1
        case .counted(let partitionCount, let keyless):
            -1 - (Int64(keyless) << 32 | Int64(partitionCount))
        }
    }

    fileprivate init?(number: Int64) {
        switch number {
        case 0: self = .answer
        case 1: self = .sticky
        case 2...(Int64(Int32.max) + 1): self = .partitionCount(Int32(number - 1))
        case ..<0:
            let numbers = -1 - number
            guard let partitionCount = Int32(exactly: numbers & 0xFFFF_FFFF) else { return nil }
            self = .counted(partitionCount: partitionCount, keyless: Int32(numbers >> 32))
        default: return nil
        }
    }
}
