internal import NIOCore
internal import NIOSSL

extension DevBroker {
    /// Encrypts connections, with files in PEM.
    package struct TLS: Sendable {
        package enum Version: String, Sendable, CaseIterable {
            case tls12 = "TLSv1.2"
            case tls13 = "TLSv1.3"
        }

        /// The broker's certificate and those that lead to its CA.
        package var certificate: String
        package var key: String
        /// Clients need a certificate that these signed; nil lets everybody in.
        package var clientCA: String?
        /// The only version that is spoken; nil for 1.2 and 1.3.
        package var version: Version?

        package init(
            certificate: String,
            key: String,
            clientCA: String? = nil,
            version: Version? = nil
        ) {
            self.certificate = certificate
            self.key = key
            self.clientCA = clientCA
            self.version = version
        }

        func makeContext() throws -> NIOSSLContext {
            let chain = try NIOSSLCertificate.fromPEMFile(self.certificate)
            var settings = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: self.key, format: .pem))
            )
            settings.minimumTLSVersion = self.version == .tls13 ? .tlsv13 : .tlsv12
            settings.maximumTLSVersion = self.version == .tls12 ? .tlsv12 : nil
            if let clientCA = self.clientCA {
                let roots = try NIOSSLCertificate.fromPEMFile(clientCA)
                settings.trustRoots = .certificates(roots)
                settings.certificateVerification = .noHostnameVerification
            }
            return try NIOSSLContext(configuration: settings)
        }
    }
}
