extension KafkaProducerConfiguration {
    /// Sets a property that is a secret, so that its text is in no list of arguments.
    ///
    /// Throws ``KafkaProducerError/configuration(_:)`` for a property that is no secret.
    public mutating func set(
        _ property: String,
        to secret: Secret
    ) throws(KafkaProducerError) {
        guard let path = Self.secretProperties[property] else {
            let names = Self.secretProperties.keys.sorted().joined(separator: ", ")
            throw .configuration("\(property) is no secret; these are: \(names)")
        }
        self[keyPath: path] = secret
    }

    private static var secretProperties: [String: WritableKeyPath<Self, Secret?>] {
        [
            "ssl.key.password": \.tls.keyPassword,
            "sasl.password": \.sasl.password,
            "sasl.oauthbearer.client.secret": \.sasl.oauthBearer.clientSecret,
            "sasl.oauthbearer.client.credentials.client.secret": \.sasl.oauthBearer.clientSecret,
        ]
    }

    /// Whether an error may not show what the property was set to.
    package static func isSecret(_ property: String) -> Bool {
        self.secretProperties[property] != nil || property == "sasl.jaas.config"
    }

    static let securityProperties: [ProducerProperty] =
        tlsProperties + saslProperties + oauthBearerProperties

    private static let tlsProperties: [ProducerProperty] = [
        ProducerProperty(name: "security.protocol") { $0.setSecurityProtocol($1) },
        ProducerProperty(name: "ssl.ca.location") { $0.setText(\.tls.caLocation, $1) },
        ProducerProperty(name: "ssl.truststore.location") { $0.setText(\.tls.caLocation, $1) },
        ProducerProperty(name: "ssl.truststore.type") { _, text in Self.pemOnly(text) },
        ProducerProperty(name: "ssl.certificate.location") {
            $0.setText(\.tls.certificateLocation, $1)
        },
        ProducerProperty(name: "ssl.keystore.location") {
            // Java's PEM store: key and certificates in one file.
            $0.setText(\.tls.certificateLocation, $1) ?? $0.setText(\.tls.keyLocation, $1)
        },
        ProducerProperty(name: "ssl.keystore.type") { _, text in Self.pemOnly(text) },
        ProducerProperty(name: "ssl.key.location") { $0.setText(\.tls.keyLocation, $1) },
        ProducerProperty(name: "ssl.key.password") { $0.setSecret(\.tls.keyPassword, $1) },
        ProducerProperty(name: "ssl.endpoint.identification.algorithm") {
            $0.setIdentification($1)
        },
        ProducerProperty(name: "ssl.enabled.protocols") { $0.setVersions($1) },
    ]

    private static let saslProperties: [ProducerProperty] = [
        ProducerProperty(name: "sasl.mechanism") { $0.setMechanism($1) },
        ProducerProperty(name: "sasl.mechanisms") { $0.setMechanism($1) },
        ProducerProperty(name: "sasl.username") { $0.setText(\.sasl.username, $1) },
        ProducerProperty(name: "sasl.password") { $0.setSecret(\.sasl.password, $1) },
    ]

    private static let oauthBearerProperties: [ProducerProperty] = [
        ProducerProperty(name: "sasl.oauthbearer.token.file") {
            $0.setText(\.sasl.oauthBearer.tokenFile, $1)
        },
        ProducerProperty(name: "sasl.oauthbearer.token.endpoint.url") { $0.setTokenEndpoint($1) },
        ProducerProperty(name: "sasl.oauthbearer.client.id") {
            $0.setText(\.sasl.oauthBearer.clientID, $1)
        },
        ProducerProperty(name: "sasl.oauthbearer.client.credentials.client.id") {
            $0.setText(\.sasl.oauthBearer.clientID, $1)
        },
        ProducerProperty(name: "sasl.oauthbearer.client.secret") {
            $0.setSecret(\.sasl.oauthBearer.clientSecret, $1)
        },
        ProducerProperty(name: "sasl.oauthbearer.client.credentials.client.secret") {
            $0.setSecret(\.sasl.oauthBearer.clientSecret, $1)
        },
        ProducerProperty(name: "sasl.oauthbearer.scope") {
            $0.setText(\.sasl.oauthBearer.scope, $1)
        },
        ProducerProperty(name: "sasl.oauthbearer.header.urlencode") {
            $0.setFlag(\.sasl.oauthBearer.encodesHeader, $1)
        },
        ProducerProperty(name: "sasl.oauthbearer.extensions") { $0.setExtensions($1) },
        ProducerProperty(name: "https.ca.location") {
            $0.setText(\.sasl.oauthBearer.caLocation, $1)
        },
    ]

    /// What to use in place of properties that only Kafka's Java client can follow.
    package static func replacement(for property: String) -> String? {
        switch property {
        case "sasl.jaas.config":
            "sasl.jaas.config is for Java: set sasl.mechanism, sasl.username and sasl.password"
        case "ssl.truststore.password", "ssl.keystore.password":
            "\(property) opens JKS and PKCS#12 stores: give PEM files, by ssl.ca.location,"
                + " ssl.certificate.location, ssl.key.location and ssl.key.password"
        case "sasl.login.callback.handler.class":
            "\(property) is for Java: set sasl.oauthbearer.token.endpoint.url or"
                + " sasl.oauthbearer.token.file"
        default: nil
        }
    }

    private mutating func setSecurityProtocol(_ text: String) -> String? {
        let names = SecurityProtocol.allCases.map(\.rawValue)
        guard let value = SecurityProtocol(rawValue: text.uppercased()) else {
            return names.joined(separator: ", ")
        }
        self.securityProtocol = value
        return nil
    }

    private mutating func setMechanism(_ text: String) -> String? {
        guard let mechanism = SASLMechanism(rawValue: text.uppercased()) else {
            return SASLMechanism.allCases.map(\.rawValue).joined(separator: ", ")
        }
        self.sasl.mechanism = mechanism
        return nil
    }

    private mutating func setIdentification(_ text: String) -> String? {
        switch text.lowercased() {
        case "https": self.tls.verifiesHostname = true
        case "", "none": self.tls.verifiesHostname = false
        default: return "https, or empty to take a certificate for any host"
        }
        return nil
    }

    private mutating func setVersions(_ text: String) -> String? {
        var versions: Set<TLSSettings.Version> = []
        for name in text.split(separator: ",").map({ $0.filter { $0 != " " } }) {
            guard let version = TLSSettings.Version(rawValue: name) else {
                return "TLSv1.2, TLSv1.3 or both"
            }
            versions.insert(version)
        }
        guard !versions.isEmpty else { return "TLSv1.2, TLSv1.3 or both" }
        self.tls.enabledVersions = versions
        return nil
    }

    private mutating func setTokenEndpoint(_ text: String) -> String? {
        // Kafka's Java client takes a file here as well.
        let fileScheme = "file://"
        guard !text.hasPrefix(fileScheme + "/") else {
            return self.setText(
                \.sasl.oauthBearer.tokenFile,
                String(text.dropFirst(fileScheme.count))
            )
        }
        guard HTTPSAddress(text) != nil else {
            return "https://host/path, for the client's secret travels to it"
        }
        self.sasl.oauthBearer.tokenEndpointURL = text
        return nil
    }

    private mutating func setExtensions(_ text: String) -> String? {
        var extensions: [String: String] = [:]
        for pair in text.split(separator: ",") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return "a list of name=value" }
            extensions[String(parts[0].filter { $0 != " " })] = String(parts[1])
        }
        guard OAuthBearerExchange.areExtensions(extensions) else {
            return "a list of name=value, names of letters and other than \"auth\""
        }
        self.sasl.oauthBearer.extensions = extensions
        return nil
    }

    private mutating func setText(
        _ property: WritableKeyPath<Self, String?>,
        _ text: String
    ) -> String? {
        guard !text.isEmpty, !text.utf8.contains(0) else { return "a text that is not empty" }
        self[keyPath: property] = text
        return nil
    }

    private mutating func setSecret(
        _ property: WritableKeyPath<Self, Secret?>,
        _ text: String
    ) -> String? {
        guard !text.isEmpty else { return "a text that is not empty" }
        self[keyPath: property] = Secret(text)
        return nil
    }

    private static func pemOnly(_ text: String) -> String? {
        text.uppercased() == "PEM" ? nil : "PEM: `openssl pkcs12` converts other stores"
    }
}
