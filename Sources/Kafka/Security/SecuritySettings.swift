/// `security.protocol`: whether the connection is encrypted, and whether the client logs in.
public enum SecurityProtocol: String, Sendable, CaseIterable {
    case plaintext = "PLAINTEXT"
    case ssl = "SSL"
    case saslPlaintext = "SASL_PLAINTEXT"
    case saslSSL = "SASL_SSL"

    package var usesTLS: Bool { self == .ssl || self == .saslSSL }
    package var usesSASL: Bool { self == .saslPlaintext || self == .saslSSL }
}

/// `sasl.mechanism`: how the client proves who it is.
public enum SASLMechanism: String, Sendable, CaseIterable {
    /// Name and password as they are: only over TLS are they safe.
    case plain = "PLAIN"
    case scramSHA256 = "SCRAM-SHA-256"
    case scramSHA512 = "SCRAM-SHA-512"
    case oauthBearer = "OAUTHBEARER"
}

/// How connections are encrypted and whom they trust: the properties `ssl.*`.
///
/// The files are PEM. They are read again for the next connection when they have changed.
public struct TLSSettings: Sendable, Equatable {
    public enum Version: String, Sendable, CaseIterable {
        case tls12 = "TLSv1.2"
        case tls13 = "TLSv1.3"
    }

    /// `ssl.ca.location`: a file of certificates, or a folder of such that was hashed by
    /// `openssl rehash`; nil trusts whom the system trusts.
    public var caLocation: String?
    /// `ssl.certificate.location`: the client's certificate and those that lead to its CA.
    public var certificateLocation: String?
    /// `ssl.key.location`: the key of that certificate.
    public var keyLocation: String?
    /// `ssl.key.password`: opens the key if it is encrypted.
    public var keyPassword: Secret?
    /// `ssl.endpoint.identification.algorithm`: whether the certificate has to name the host.
    public var verifiesHostname = true
    /// `ssl.enabled.protocols`.
    public var enabledVersions: Set<Version> = [.tls12, .tls13]

    public init() {}
}

/// How the client logs in: the properties `sasl.*`.
public struct SASLSettings: Sendable, Equatable {
    /// `sasl.mechanism`.
    public var mechanism: SASLMechanism?
    /// `sasl.username`, for PLAIN and SCRAM.
    public var username: String?
    /// `sasl.password`, for PLAIN and SCRAM.
    public var password: Secret?
    /// Where the token of OAUTHBEARER comes from.
    public var oauthBearer = OAuthBearerSettings()

    public init() {}
}

/// Where the token of OAUTHBEARER comes from: a file, a token endpoint, or a function.
public struct OAuthBearerSettings: Sendable, Equatable {
    /// `sasl.oauthbearer.token.file`: holds the token, and is read each time one is needed.
    public var tokenFile: String?
    /// `sasl.oauthbearer.token.endpoint.url`: gives a token for `clientID` and `clientSecret`.
    public var tokenEndpointURL: String?
    /// `sasl.oauthbearer.client.id`.
    public var clientID: String?
    /// `sasl.oauthbearer.client.secret`.
    public var clientSecret: Secret?
    /// `sasl.oauthbearer.scope`: what the token is asked for, if the endpoint wants to know.
    public var scope: String?
    /// `sasl.oauthbearer.header.urlencode`: id and secret are encoded as RFC 6749 has it, which not
    /// every endpoint expects.
    public var encodesHeader = false
    /// `https.ca.location`: whom to trust at the token endpoint; nil trusts whom the system trusts.
    public var caLocation: String?
    /// `sasl.oauthbearer.extensions`: told to the broker next to the token.
    public var extensions: [String: String] = [:]
    /// Gives a token each time one is needed.
    public var provider: OAuthBearerTokenProvider?

    public init() {}
}

/// A token as an authorization server gives it.
public struct OAuthBearerToken: Sendable, Equatable {
    public var value: Secret
    /// How long it is good for; nil if that is not known.
    public var lifetime: Duration?

    public init(_ value: Secret, lifetime: Duration? = nil) {
        self.value = value
        self.lifetime = lifetime
    }
}

/// A function that gives tokens.
///
/// ```swift
/// configuration.sasl.oauthBearer.provider = OAuthBearerTokenProvider {
///     OAuthBearerToken(Secret(try await vault.token(for: "kafka")))
/// }
/// ```
/// An error that it throws fails the connection, which is tried again; its text gets into the log.
public struct OAuthBearerTokenProvider: Sendable, Equatable {
    public typealias Body = @Sendable () async throws -> OAuthBearerToken

    /// Makes two providers the same if they are copies of one.
    private final class Box: Sendable {
        let body: Body
        init(_ body: @escaping Body) { self.body = body }
    }

    private let box: Box

    public init(_ body: @escaping Body) {
        self.box = Box(body)
    }

    package var body: Body { self.box.body }

    public static func == (first: Self, second: Self) -> Bool { first.box === second.box }
}
