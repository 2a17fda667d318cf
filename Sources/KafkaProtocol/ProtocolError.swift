/// Why bytes are not the Kafka message they were taken for.
package enum ProtocolError: Error, Hashable, Sendable {
    /// The message ends before the field does.
    case truncated
    /// A length or count that no message can have.
    case invalidLength(Int64)
    /// A field that must be there is null.
    case unexpectedNull
    /// A variable-length integer of more bytes than its type has bits for.
    case invalidVarint
    /// A text, list or block of bytes that its length field cannot express.
    case tooLong(Int)
    /// Bytes are left where the message should have ended.
    case trailingBytes(Int)
    /// A message in a version that is not implemented here.
    case unsupportedVersion(apiKey: Int16, version: Int16)
    /// A value that the version cannot express.
    case notExpressible(field: String, version: Int16)
    /// A frame larger than the limit, refused before memory is taken for it.
    case frameTooLarge(size: Int, limit: Int)
    /// A record batch that contradicts itself, with what is wrong.
    case invalidBatch(String)
    /// The batch's bytes are not those that its checksum was made of.
    case checksumMismatch(expected: UInt32, actual: UInt32)
    /// A codec number that Kafka does not define, or one that only decompresses here.
    case unsupportedCompression(Int8)
    /// Compressed bytes that do not decompress, with what the library said.
    case invalidCompression(String)
    /// More bytes come out of a compressed batch than are allowed to.
    case decompressedTooLarge(limit: Int)
}

extension ProtocolError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .truncated: "the message ends inside a field"
        case .invalidLength(let length): "a length of \(length) does not fit into the message"
        case .unexpectedNull: "a field is null that must not be"
        case .invalidVarint: "a variable-length integer is too long"
        case .tooLong(let length): "a field of \(length) bytes is longer than can be written"
        case .trailingBytes(let count): "\(count) bytes follow the end of the message"
        case .unsupportedVersion(let key, let version):
            "version \(version) of API \(key) is not supported"
        case .notExpressible(let field, let version):
            "\(field) cannot be expressed in version \(version)"
        case .frameTooLarge(let size, let limit):
            "a message of \(size) bytes is over the limit of \(limit)"
        case .invalidBatch(let problem): "invalid record batch: \(problem)"
        case .checksumMismatch(let expected, let actual):
            "the batch's CRC is \(actual), its header says \(expected)"
        case .unsupportedCompression(let codec): "compression codec \(codec) is not supported"
        case .invalidCompression(let problem): "the batch does not decompress: \(problem)"
        case .decompressedTooLarge(let limit): "the batch decompresses to over \(limit) bytes"
        }
    }
}
