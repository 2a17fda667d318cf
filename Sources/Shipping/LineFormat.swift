package import Kafka

/// How a line of text becomes a record, as kafka-console-producer reads it.
///
/// Headers come first, then the key, then the value, each with what ends it:
/// ```
/// trace:t-77,tenant:eu⇥42⇥the value
/// ```
package struct LineFormat: Sendable, Equatable {
    /// Headers before the first `headersDelimiter` of a line.
    package var parsesHeaders = false
    package var headersDelimiter = Array("\t".utf8)
    package var headersSeparator = Array(",".utf8)
    package var headerKeySeparator = Array(":".utf8)
    /// A key before the first `keySeparator` of what follows the headers.
    package var parsesKey = false
    package var keySeparator = Array("\t".utf8)
    /// A key, a value or a header's value of just this is null.
    package var nullMarker: [UInt8]?
    /// A line without what should separate its parts is a value as it stands.
    package var ignoresErrors = false
    /// Headers of every record, before those of its line.
    package var fixedHeaders: [KafkaHeaders.Header] = []

    package init() {}

    /// The record that a line says.
    ///
    /// - Throws: `LineError` for a line without what should separate its parts.
    package func record(
        of line: some Collection<UInt8>,
        topic: String
    ) throws(LineError) -> KafkaProducerRecord {
        var rest = Array(line)[...]
        var headers = KafkaHeaders(fixedHeaders)
        if parsesHeaders,
            let text = try take(headersDelimiter, from: &rest, LineError.noHeadersDelimiter)
        {
            headers.headers += try self.headers(in: text)
        }
        var key: [UInt8]?
        if parsesKey, let text = try take(keySeparator, from: &rest, LineError.noKeySeparator) {
            key = unlessNull(text)
        }
        return KafkaProducerRecord(
            topic: topic,
            key: key,
            value: unlessNull(rest),
            headers: headers
        )
    }

    private func headers(in text: ArraySlice<UInt8>) throws(LineError) -> [KafkaHeaders.Header] {
        // No text stands for null headers, which are none, and so does the marker.
        guard !text.isEmpty, Array(text) != nullMarker else { return [] }
        var rest = text
        var headers: [KafkaHeaders.Header] = []
        while let end = rest.firstRange(of: headersSeparator) {
            headers += try header(rest[..<end.lowerBound])
            rest = rest[end.upperBound...]
        }
        return headers + (try header(rest))
    }

    private func header(_ text: ArraySlice<UInt8>) throws(LineError) -> [KafkaHeaders.Header] {
        guard let colon = text.firstRange(of: headerKeySeparator) else {
            guard ignoresErrors else {
                throw .noHeaderKeySeparator(
                    Self.text(headerKeySeparator),
                    header: String(decoding: text, as: UTF8.self)
                )
            }
            return [.init(name: String(decoding: text, as: UTF8.self), value: nil)]
        }
        let name = Array(text[..<colon.lowerBound])
        guard name != nullMarker else { throw .nullHeaderName }
        let value = unlessNull(text[colon.upperBound...])
        return [.init(name: String(decoding: name, as: UTF8.self), value: value)]
    }

    private func unlessNull(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        let bytes = Array(bytes)
        return bytes == nullMarker ? nil : bytes
    }

    /// What stands before a separator, which is passed as well.
    private func take(
        _ separator: [UInt8],
        from rest: inout ArraySlice<UInt8>,
        _ error: (String) -> LineError
    ) throws(LineError) -> ArraySlice<UInt8>? {
        guard let found = rest.firstRange(of: separator) else {
            if ignoresErrors { return nil }
            throw error(Self.text(separator))
        }
        defer { rest = rest[found.upperBound...] }
        return rest[..<found.lowerBound]
    }

    private static func text(_ separator: [UInt8]) -> String {
        let text = String(decoding: separator, as: UTF8.self)
        return text == "\t" ? "tab" : "\"\(text)\""
    }
}

/// What is wrong with a line.
package enum LineError: Error, Sendable, Equatable {
    case noKeySeparator(String)
    case noHeadersDelimiter(String)
    case noHeaderKeySeparator(String, header: String)
    case nullHeaderName
}

extension LineError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noKeySeparator(let separator): "no \(separator) after the key (--key-separator)"
        case .noHeadersDelimiter(let delimiter):
            "no \(delimiter) after the headers (--headers-delimiter)"
        case .noHeaderKeySeparator(let separator, let header):
            "no \(separator) in the header \"\(header)\" (--header-key-separator)"
        case .nullHeaderName: "a header's name cannot be null"
        }
    }
}
