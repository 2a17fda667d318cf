internal import Glibc
internal import Logging
internal import NIOCore
internal import NIOSSL

/// What connections share: the certificates of TLS, and where credentials come from.
///
/// Safe to share: after it is made, everything runs on the producer's event loop.
final class ConnectionSecurity: @unchecked Sendable {
    typealias Completion = (Result<SASLCredentials, KafkaProducerError>) -> Void

    private let configuration: KafkaProducerConfiguration
    private let eventLoop: any EventLoop
    private let contexts: TLSContexts?
    private let tokens: TokenSource?

    /// Reads the files that the configuration names, so that a wrong one is known at once.
    init(
        configuration: KafkaProducerConfiguration,
        eventLoop: any EventLoop,
        logger: Logger
    ) throws(KafkaProducerError) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        let usesTLS = configuration.securityProtocol.usesTLS
        self.contexts = usesTLS ? try TLSContexts(configuration.tls) : nil
        let usesTokens = configuration.usesSASL(.oauthBearer)
        self.tokens =
            usesTokens
            ? try TokenSource(configuration.sasl.oauthBearer, configuration, eventLoop) : nil
        try self.checkSecretFiles(logger)
        if !usesTLS, configuration.usesSASL(.plain) || usesTokens {
            logger.warning(
                "passwords and tokens travel unencrypted",
                metadata: ["event": "producer.plaintext_login"]
            )
        }
    }

    /// The context for the next TLS connection; nil where connections are not encrypted.
    func tlsContext() throws(KafkaProducerError) -> NIOSSLContext? {
        try self.contexts?.context()
    }

    /// Gets what to log in with as it is now, at once or later.
    func getCredentials(_ completion: @escaping Completion) {
        guard let tokens = self.tokens else {
            return completion(Result { () throws(KafkaProducerError) in try self.passwords() })
        }
        let extensions = self.configuration.sasl.oauthBearer.extensions
        tokens.getToken { token in
            completion(
                token.flatMap { token in
                    guard OAuthBearerExchange.isToken(token) else {
                        return .failure(.configuration("the token is not one word of ASCII"))
                    }
                    return .success(.oauthBearer(token: token, extensions: extensions))
                }
            )
        }
    }

    private func passwords() throws(KafkaProducerError) -> SASLCredentials {
        let sasl = self.configuration.sasl
        let username = sasl.username ?? ""
        let password = try read(sasl.password, property: "sasl.password")
        return switch sasl.mechanism {
        case .scramSHA256: .scramSHA256(username: username, password: password)
        case .scramSHA512: .scramSHA512(username: username, password: password)
        case .plain, .oauthBearer, nil: .plain(username: username, password: password)
        }
    }

    private func checkSecretFiles(_ logger: Logger) throws(KafkaProducerError) {
        let secrets = [
            ("ssl.key.password", self.configuration.tls.keyPassword),
            ("sasl.password", self.configuration.sasl.password),
            (
                "sasl.oauthbearer.client.secret",
                self.configuration.sasl.oauthBearer.clientSecret
            ),
        ]
        for (property, secret) in secrets {
            guard case .file(let path)? = secret?.origin else { continue }
            let file = SecurityFile(property: property, path: path)
            _ = try file.secret()
            if file.isReadableByAll {
                logger.warning(
                    "a secret can be read by every user of this machine",
                    metadata: [
                        "event": "producer.secret_exposed", "property": "\(property)",
                        "file": "\(path)",
                    ]
                )
            }
        }
    }
}

extension KafkaProducerConfiguration {
    fileprivate func usesSASL(_ mechanism: SASLMechanism) -> Bool {
        self.securityProtocol.usesSASL && self.sasl.mechanism == mechanism
    }
}

/// A secret's text, from its file if it is in one.
func read(_ secret: Secret?, property: String) throws(KafkaProducerError) -> Secret {
    switch secret?.origin {
    case .text(let text)?: Secret(text)
    case .file(let path)?: try SecurityFile(property: property, path: path).secret()
    case nil: Secret("")
    }
}

/// Seconds since 1970, for the dates of certificates.
func wallClockSeconds() -> Int64 { Int64(time(nil)) }

/// 144 bits that nobody can guess, in letters that need no escape.
func makeNonce() -> String {
    var generator = SystemRandomNumberGenerator()
    let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    return String((0..<24).map { _ in letters[Int(generator.next() & 63)] })
}
