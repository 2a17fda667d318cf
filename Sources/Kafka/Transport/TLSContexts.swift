internal import NIOCore
internal import NIOSSL

/// The certificates and keys of TLS, read again when their files have changed.
///
/// Used on the producer's event loop.
final class TLSContexts {
    private let settings: TLSSettings
    private let caProperty: String
    private var current: (context: NIOSSLContext, versions: [SecurityFile.Version?])?

    /// Reads the files, so that what is wrong with them is known at once.
    init(
        _ settings: TLSSettings,
        caProperty: String = "ssl.ca.location"
    ) throws(KafkaProducerError) {
        self.settings = settings
        self.caProperty = caProperty
        _ = try self.context()
    }

    /// The context for the next connection.
    ///
    /// A file that is being replaced, and does not read or fit, fails the connection; that is tried
    /// again soon.
    func context() throws(KafkaProducerError) -> NIOSSLContext {
        let versions = self.files.map(\.version)
        if let current = self.current, current.versions == versions { return current.context }
        let configuration = try self.makeConfiguration()
        do {
            let context = try NIOSSLContext(configuration: configuration)
            self.current = (context, versions)
            return context
        } catch {
            guard self.settings.certificateLocation != nil else {
                throw .configuration("TLS cannot be set up: \(error)")
            }
            throw .configuration("ssl.key.location is not the key of ssl.certificate.location")
        }
    }

    private var authority: SecurityFile? {
        self.settings.caLocation.map { SecurityFile(property: self.caProperty, path: $0) }
    }

    private var certificate: SecurityFile? {
        self.settings.certificateLocation.map {
            SecurityFile(property: "ssl.certificate.location", path: $0)
        }
    }

    private var key: SecurityFile? {
        self.settings.keyLocation.map { SecurityFile(property: "ssl.key.location", path: $0) }
    }

    private var keyPassword: SecurityFile? {
        guard case .file(let path)? = self.settings.keyPassword?.origin else { return nil }
        return SecurityFile(property: "ssl.key.password", path: path)
    }

    private var files: [SecurityFile] {
        [self.authority, self.certificate, self.key, self.keyPassword].compactMap(\.self)
    }

    private func makeConfiguration() throws(KafkaProducerError) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        let versions = self.settings.enabledVersions
        configuration.minimumTLSVersion = versions.contains(.tls12) ? .tlsv12 : .tlsv13
        configuration.maximumTLSVersion = versions.contains(.tls13) ? nil : .tlsv12
        configuration.certificateVerification =
            self.settings.verifiesHostname ? .fullVerification : .noHostnameVerification
        if let authority = self.authority {
            configuration.trustRoots = try trustRoots(authority)
        }
        if let certificate = self.certificate, let key = self.key {
            let chain = try certificates(in: certificate)
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(try self.privateKey(in: key))
        }
        return configuration
    }

    private func privateKey(in file: SecurityFile) throws(KafkaProducerError) -> NIOSSLPrivateKey {
        let bytes = try file.bytes()
        let isEncrypted = contains("ENCRYPTED", in: bytes)
        let password = try self.resolvedKeyPassword()
        guard !isEncrypted || password != nil else {
            throw file.error("it is encrypted, and ssl.key.password is not set")
        }
        do {
            // Without a password of ours the library would ask for one on the terminal.
            return try NIOSSLPrivateKey(bytes: bytes, format: .pem) { setter in
                setter(Array((password?.text ?? "").utf8))
            }
        } catch {
            throw file.error(
                isEncrypted ? "ssl.key.password does not open it" : "there is no PEM key in it"
            )
        }
    }

    private func resolvedKeyPassword() throws(KafkaProducerError) -> Secret? {
        if let file = self.keyPassword { return try file.secret() }
        return self.settings.keyPassword
    }
}

/// Whom to trust, from a file of certificates or a folder of such.
func trustRoots(_ file: SecurityFile) throws(KafkaProducerError) -> NIOSSLTrustRoots {
    file.isFolder ? .file(file.path) : .certificates(try certificates(in: file))
}

private func certificates(in file: SecurityFile) throws(KafkaProducerError) -> [NIOSSLCertificate] {
    let bytes = try file.bytes()
    let found = try? NIOSSLCertificate.fromPEMBytes(bytes)
    guard let found, !found.isEmpty else { throw file.error("there is no PEM certificate in it") }
    return found
}

private func contains(_ word: String, in bytes: [UInt8]) -> Bool {
    String(decoding: bytes, as: UTF8.self).contains(word)
}
