internal import Crypto
import PipelineLanguage

/// What hides persons.
extension RecordProcessor {
    func mask(_ text: Text, _ last: Int?, _ first: Int?) throws(EvaluationError) -> Value {
        let characters = Array(String(decoding: text, as: UTF8.self))
        let head = first ?? 0
        let tail = last ?? 0
        // A text that would be shown whole is hidden whole.
        let isShort = head + tail >= characters.count
        let masked = characters.enumerated().map { index, character in
            !isShort && (index < head || index >= characters.count - tail) ? character : "*"
        }
        return .string(scratch.copy(String(masked)))
    }

    func maskIP(_ text: Text) throws(EvaluationError) -> Value {
        let address = String(decoding: text, as: UTF8.self)
        let parts = address.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count == 4, parts.allSatisfy({ UInt8($0) != nil }) {
            return .string(scratch.copy(parts[..<3].joined(separator: ".") + ".0"))
        }
        guard let colon = address.lastIndex(of: ":"), isIPv6(address) else {
            throw EvaluationError("mask_ip(): \"\(shown(text))\" is not an address")
        }
        return .string(scratch.copy(String(address[...colon]) + "0"))
    }

    private func isIPv6(_ address: String) -> Bool {
        let parts = address.split(separator: ":", omittingEmptySubsequences: false)
        return (3...8).contains(parts.count)
            && parts.allSatisfy { $0.count <= 4 && $0.allSatisfy(\.isHexDigit) }
    }

    func sha256(_ text: Text) -> Text {
        var hash = SHA256()
        hash.update(bufferPointer: text)
        return hex(Array(hash.finalize()))
    }

    func hmac(_ text: Text, _ prepared: PreparedCall) throws(EvaluationError) -> Value {
        guard case .secret(let key) = prepared else { return .missing }
        let code = HMAC<SHA256>.authenticationCode(
            for: Array(text),
            using: SymmetricKey(data: key.bytes)
        )
        return .string(hex(Array(code)))
    }

    func redacted(_ text: Text, _ prepared: PreparedCall) -> Text {
        guard case .redaction(let redaction) = prepared else { return text }
        var bytes = Array(text)
        if redaction.contains(.iban) { bytes = Redaction.redactIBANs(bytes) ?? bytes }
        if redaction.contains(.card) { bytes = Redaction.redactCards(bytes) ?? bytes }
        if redaction.contains(.email) { bytes = Redaction.redactEmails(bytes) ?? bytes }
        return scratch.copy(bytes)
    }
}
