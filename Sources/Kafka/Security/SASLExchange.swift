internal import Crypto
internal import KafkaProtocol

/// Why a broker could not be convinced, or could not convince.
struct SASLError: Error, Equatable {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}

/// What a mechanism needs, as it is at this moment.
package enum SASLCredentials: Sendable, Equatable {
    case plain(username: String, password: Secret)
    case scramSHA256(username: String, password: Secret)
    case scramSHA512(username: String, password: Secret)
    case oauthBearer(token: Secret, extensions: [String: String])

    package var mechanism: SASLMechanism {
        switch self {
        case .plain: .plain
        case .scramSHA256: .scramSHA256
        case .scramSHA512: .scramSHA512
        case .oauthBearer: .oauthBearer
        }
    }

    /// What must be in no text that is shown.
    var secret: Secret {
        switch self {
        case .plain(_, let password), .scramSHA256(_, let password), .scramSHA512(_, let password):
            password
        case .oauthBearer(let token, _): token
        }
    }

    /// As whom the client logs in, for an error.
    var subject: String {
        switch self {
        case .plain(let name, _), .scramSHA256(let name, _), .scramSHA512(let name, _):
            "user \"\(name)\" (\(self.mechanism.rawValue))"
        case .oauthBearer: "the token (OAUTHBEARER)"
        }
    }
}

/// The client's side of a SASL conversation.
///
/// It opens with a message; each of the broker's is answered until there is nothing left to say.
/// Only then, and only if ``isComplete``, is the broker the one that it should be.
enum SASLExchange {
    case plain(PlainExchange)
    case scramSHA256(SCRAMExchange<SHA256>)
    case scramSHA512(SCRAMExchange<SHA512>)
    case oauthBearer(OAuthBearerExchange)

    /// - Parameter nonce: Letters and digits that nobody can guess.
    init(_ credentials: SASLCredentials, nonce: String) {
        switch credentials {
        case .plain(let username, let password):
            self = .plain(PlainExchange(username: username, password: password))
        case .scramSHA256(let username, let password):
            self = .scramSHA256(.init(username: username, password: password, nonce: nonce))
        case .scramSHA512(let username, let password):
            self = .scramSHA512(.init(username: username, password: password, nonce: nonce))
        case .oauthBearer(let token, let extensions):
            self = .oauthBearer(OAuthBearerExchange(token: token, extensions: extensions))
        }
    }

    /// What the client says first.
    var firstMessage: [UInt8] {
        switch self {
        case .plain(let exchange): exchange.firstMessage
        case .scramSHA256(let exchange): exchange.firstMessage
        case .scramSHA512(let exchange): exchange.firstMessage
        case .oauthBearer(let exchange): exchange.firstMessage
        }
    }

    /// Takes what the broker says; returns the answer, nil if none is due.
    mutating func received(_ message: [UInt8]) throws(SASLError) -> [UInt8]? {
        switch self {
        case .plain: return nil
        case .scramSHA256(var exchange):
            defer { self = .scramSHA256(exchange) }
            return try exchange.received(message)
        case .scramSHA512(var exchange):
            defer { self = .scramSHA512(exchange) }
            return try exchange.received(message)
        case .oauthBearer(var exchange):
            defer { self = .oauthBearer(exchange) }
            return exchange.received(message)
        }
    }

    /// Whether all was said, and the broker has proven what it has to.
    var isComplete: Bool {
        switch self {
        case .plain: true
        case .scramSHA256(let exchange): exchange.isComplete
        case .scramSHA512(let exchange): exchange.isComplete
        case .oauthBearer(let exchange): exchange.isComplete
        }
    }
}

/// PLAIN (RFC 4616): name and password, and no more.
struct PlainExchange {
    let username: String
    let password: Secret

    var firstMessage: [UInt8] {
        [0] + Array(self.username.utf8) + [0] + Array(self.password.text.utf8)
    }
}

/// OAUTHBEARER (RFC 7628): a token, which the broker takes or tells why not.
struct OAuthBearerExchange {
    private static let separator = "\u{1}"

    let token: Secret
    let extensions: [String: String]
    private var isRefused = false

    init(token: Secret, extensions: [String: String] = [:]) {
        self.token = token
        self.extensions = extensions
    }

    var firstMessage: [UInt8] {
        let pairs =
            ["auth=Bearer \(self.token.text)"]
            + self.extensions.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let text = pairs.map { $0 + Self.separator }.joined()
        return Array("n,,\(Self.separator)\(text)\(Self.separator)".utf8)
    }

    /// A message that says something is a refusal; it has to be answered before its error comes.
    mutating func received(_ message: [UInt8]) -> [UInt8]? {
        guard !message.isEmpty else { return nil }
        self.isRefused = true
        return Array(Self.separator.utf8)
    }

    var isComplete: Bool { !self.isRefused }

    /// Whether it can be sent, and ends where it seems to.
    static func isToken(_ token: Secret) -> Bool {
        !token.isEmpty && token.text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    /// Whether they can stand next to a token.
    static func areExtensions(_ extensions: [String: String]) -> Bool {
        extensions.allSatisfy { name, value in
            !name.isEmpty && name != "auth" && name.allSatisfy { $0.isASCII && $0.isLetter }
                && value.utf8.allSatisfy { (0x20...0x7E).contains($0) }
        }
    }
}
