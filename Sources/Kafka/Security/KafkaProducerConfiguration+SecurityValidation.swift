extension KafkaProducerConfiguration {
    /// Throws where a property is missing, or one is set that has no effect.
    func validateSecurity() throws(KafkaProducerError) {
        try self.validateTLS()
        try self.validateSASL()
    }

    private func validateTLS() throws(KafkaProducerError) {
        let tls = self.tls
        guard self.securityProtocol.usesTLS else {
            guard tls == TLSSettings() else {
                throw .configuration(
                    "ssl.* is set, but security.protocol is \(self.securityProtocol.rawValue):"
                        + " \(self.securityProtocol.usesSASL ? "SASL_SSL" : "SSL") uses it"
                )
            }
            return
        }
        if tls.enabledVersions.isEmpty {
            throw .configuration("ssl.enabled.protocols is empty: TLSv1.2, TLSv1.3 or both")
        }
        switch (tls.certificateLocation, tls.keyLocation) {
        case (.some, nil): throw .configuration("ssl.certificate.location needs ssl.key.location")
        case (nil, .some): throw .configuration("ssl.key.location needs ssl.certificate.location")
        case (nil, nil) where tls.keyPassword != nil:
            throw .configuration("ssl.key.password needs ssl.key.location")
        default: return
        }
    }

    private func validateSASL() throws(KafkaProducerError) {
        guard self.securityProtocol.usesSASL else {
            guard self.sasl == SASLSettings() else {
                throw .configuration(
                    "sasl.* is set, but security.protocol is \(self.securityProtocol.rawValue):"
                        + " \(self.securityProtocol.usesTLS ? "SASL_SSL" : "SASL_PLAINTEXT")"
                        + " uses it"
                )
            }
            return
        }
        switch self.sasl.mechanism {
        case nil:
            let names = SASLMechanism.allCases.map(\.rawValue).joined(separator: ", ")
            throw .configuration(
                "security.protocol=\(self.securityProtocol.rawValue) needs sasl.mechanism: \(names)"
            )
        case .oauthBearer?: try self.validateOAuthBearer()
        case let mechanism?: try self.validatePassword(mechanism)
        }
    }

    private func validatePassword(_ mechanism: SASLMechanism) throws(KafkaProducerError) {
        var missing: [String] = []
        if self.sasl.username?.isEmpty ?? true { missing.append("sasl.username") }
        if self.sasl.password?.isEmpty ?? true { missing.append("sasl.password") }
        guard missing.isEmpty else {
            throw .configuration(
                "sasl.mechanism=\(mechanism.rawValue) needs \(missing.joined(separator: " and "))"
            )
        }
        // PLAIN ends its fields with it, and nobody types it.
        for (name, text) in [
            ("sasl.username", self.sasl.username), ("sasl.password", self.sasl.password?.text),
        ] where text?.utf8.contains(0) == true {
            throw .configuration("\(name) contains a zero byte")
        }
    }

    private func validateOAuthBearer() throws(KafkaProducerError) {
        let settings = self.sasl.oauthBearer
        let sources: [Any?] = [settings.tokenFile, settings.tokenEndpointURL, settings.provider]
        guard sources.count(where: { $0 != nil }) == 1 else {
            throw .configuration(
                "sasl.mechanism=OAUTHBEARER needs either sasl.oauthbearer.token.file or"
                    + " sasl.oauthbearer.token.endpoint.url"
            )
        }
        guard OAuthBearerExchange.areExtensions(settings.extensions) else {
            throw .configuration("sasl.oauthbearer.extensions must be names of letters with values")
        }
        guard let address = settings.tokenEndpointURL else { return }
        guard HTTPSAddress(address) != nil else {
            throw .configuration("sasl.oauthbearer.token.endpoint.url must be https://host/path")
        }
        var missing: [String] = []
        if settings.clientID?.isEmpty ?? true { missing.append("sasl.oauthbearer.client.id") }
        if settings.clientSecret?.isEmpty ?? true {
            missing.append("sasl.oauthbearer.client.secret")
        }
        guard missing.isEmpty else {
            throw .configuration(
                "sasl.oauthbearer.token.endpoint.url needs \(missing.joined(separator: " and "))"
            )
        }
    }
}
