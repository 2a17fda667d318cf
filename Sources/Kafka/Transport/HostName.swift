internal import Glibc

extension KafkaProducerConfiguration {
    /// The program's name and the host's, so that a broker's log and quotas tell hosts apart.
    static let defaultClientID = "forktail-" + hostName()
}

/// The host's name without its domain, `localhost` where there is none.
private func hostName() -> String {
    var bytes = [CChar](repeating: 0, count: 256)
    guard gethostname(&bytes, bytes.count - 1) == 0 else { return "localhost" }
    let name = bytes.prefix { $0 != 0 && $0 != CChar(bitPattern: UInt8(ascii: ".")) }
    return name.isEmpty
        ? "localhost" : String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
