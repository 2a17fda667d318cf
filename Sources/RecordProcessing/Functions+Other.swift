internal import Crypto
import PipelineLanguage

/// Paths, and what spreads or picks records.
extension RecordProcessor {
    func basename(_ path: Text) -> Text {
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return path }
        return Text(rebasing: path[(slash + 1)...])
    }

    func dirname(_ path: Text) -> Text {
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return scratch.copy(".") }
        return Text(rebasing: path[..<max(1, slash)])
    }

    /// What a star of the first glob that fits stands for.
    func globCapture(_ number: Int, _ prepared: PreparedCall) throws(EvaluationError) -> Value {
        guard case .globs(let globs) = prepared else { return .missing }
        let path = try text(of: given[.path] ?? meta(.path))
        for glob in globs where try matches(glob, path) {
            guard number > 0, let range = matcher.group(number) else {
                throw EvaluationError(
                    "glob_capture(): the glob of \"\(shown(path))\" has no `*` number \(number)"
                )
            }
            return .string(Text(rebasing: path[range]))
        }
        throw EvaluationError("glob_capture(): no glob of `from` fits \"\(shown(path))\"")
    }

    // MARK: UUIDs

    func uuid5(_ namespace: String, _ name: Text) throws(EvaluationError) -> Value {
        guard let space = UUIDText.bytes(of: UUIDText.known[namespace] ?? namespace) else {
            throw EvaluationError(
                "uuid5(): \"\(namespace)\" is no namespace: write"
                    + " \"dns\", \"url\", \"oid\", \"x500\" or a UUID"
            )
        }
        var hash = Insecure.SHA1()
        hash.update(data: space)
        hash.update(bufferPointer: name)
        var bytes = Array(hash.finalize().prefix(16))
        bytes[6] = bytes[6] & 0x0F | 0x50
        bytes[8] = bytes[8] & 0x3F | 0x80
        return .string(scratch.copy(UUIDText.text(of: bytes)))
    }

    // MARK: Spreading

    func sample(_ rate: Value, by text: Text) throws(EvaluationError) -> Bool {
        guard let share = double(rate), share >= 0, share <= 1 else {
            let shown = shown(try self.text(of: rate))
            throw EvaluationError("sample(): \(shown) is not a share from 0 to 1")
        }
        // The upper 53 bits as a number from 0 up to 1, that one left out.
        return Double(Self.mixed(Self.fingerprint(text)) >> 11) * 0x1p-53 < share
    }

    /// The salt depends on the place in the file alone, which is the same after a crash.
    func salted(_ text: Text, _ number: Int) throws(EvaluationError) -> Value {
        guard number > 0 else { throw EvaluationError("salted(): 0 is no number of keys") }
        let offset: Int64
        if case .int(let given)? = given[.offset] {
            offset = given
        } else {
            offset = position.offset
        }
        let salt = Self.mixed(UInt64(bitPattern: offset)) % UInt64(number)
        return .string(scratch.copy(Array(text) + Array("#\(salt)".utf8)))
    }

    /// FNV-1a: not the hash by which Kafka chooses a partition, or a sample would be of one.
    private static func fingerprint(_ text: Text) -> UInt64 {
        text.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// SplitMix64's finish: neighbours come to lie far apart.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// UUIDs as text and as bytes.
enum UUIDText {
    /// The namespaces of RFC 9562, section 6.6.
    static let known = [
        "dns": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "url": "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
        "oid": "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
        "x500": "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
    ]
    private static let hyphens: Set<Int> = [8, 13, 18, 23]

    static func bytes(of text: String) -> [UInt8]? {
        let signs = Array(text.utf8)
        guard signs.count == 36, hyphens.allSatisfy({ signs[$0] == UInt8(ascii: "-") }) else {
            return nil
        }
        let digits = signs.indices.filter { !hyphens.contains($0) }.compactMap {
            hexValue(signs[$0])
        }
        guard digits.count == 32 else { return nil }
        return stride(from: 0, to: 32, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    static func text(of bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            if hyphens.contains(text.count) { text.append(UInt8(ascii: "-")) }
            text.append(hexDigit(byte >> 4))
            text.append(hexDigit(byte & 15))
        }
        return String(decoding: text, as: UTF8.self)
    }
}
