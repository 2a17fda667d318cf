import ArgumentParser
import KafkaDevBroker

/// Whom the embedded broker lets in, and how connections to it are encrypted.
struct BrokerSecurityOptions: ParsableArguments {
    @Option(help: "Certificate of the broker, PEM; turns TLS on.")
    var tlsCert: String?

    @Option(help: "Key of that certificate, PEM.")
    var tlsKey: String?

    @Option(help: "Clients need a certificate that this CA signed.")
    var tlsClientCa: String?

    @Option(help: "The only version of TLS that is spoken, TLSv1.2 or TLSv1.3.")
    var tlsVersion: DevBroker.TLS.Version?

    @Option(
        help: ArgumentHelp(
            "Who may log in by PLAIN or SCRAM; may be repeated. Only for trying and testing: everybody"
                + " on this machine can see it.",
            valueName: "name:password"
        )
    )
    var saslUser: [String] = []

    @Option(help: "A token that OAUTHBEARER takes; may be repeated.")
    var saslToken: [String] = []

    @Option(help: "A mechanism that is offered; may be repeated. All are without it.")
    var saslMechanism: [String] = []

    @Option(help: "After it a client has to log in anew, as 5s.")
    var saslSession: TimeInterval?

    @Option(
        help: ArgumentHelp(
            "What is not allowed, read, write or describe of a topic or a transactional-id, to all or"
                + " to one user; may be repeated.",
            valueName: "operation topic name [user]"
        )
    )
    var deny: [Denial] = []

    func validate() throws {
        guard (tlsCert == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-cert and --tls-key need each other")
        }
        if tlsCert == nil, tlsClientCa != nil || tlsVersion != nil {
            throw ValidationError("--tls-client-ca and --tls-version need --tls-cert and --tls-key")
        }
        guard saslUser.allSatisfy({ $0.contains(":") && !$0.hasPrefix(":") }) else {
            throw ValidationError("--sasl-user takes name:password")
        }
        if saslUser.isEmpty, saslToken.isEmpty, saslSession != nil || !saslMechanism.isEmpty {
            throw ValidationError(
                "--sasl-session and --sasl-mechanism need --sasl-user or --sasl-token"
            )
        }
    }

    var tls: DevBroker.TLS? {
        guard let tlsCert, let tlsKey else { return nil }
        return DevBroker.TLS(
            certificate: tlsCert,
            key: tlsKey,
            clientCA: tlsClientCa,
            version: tlsVersion
        )
    }

    var sasl: BrokerStateMachine.SASLConfiguration? {
        guard !saslUser.isEmpty || !saslToken.isEmpty else { return nil }
        var users: [String: String] = [:]
        for user in saslUser {
            let parts = user.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            users[String(parts[0])] = String(parts[1])
        }
        var sasl = BrokerStateMachine.SASLConfiguration(
            users: users,
            tokens: Set(saslToken),
            sessionLifetime: saslSession?.duration
        )
        if !saslMechanism.isEmpty { sasl.mechanisms = saslMechanism }
        return sasl
    }
}

extension DevBroker.TLS.Version: ExpressibleByArgument {}

extension Denial: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
