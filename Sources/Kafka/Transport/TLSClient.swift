internal import NIOCore
internal import NIOSSL
internal import Synchronization

/// TLS towards one host, remembering why a certificate did not stand the check.
///
/// The library's error says only that one did not; expired, or signed by a stranger, is for us to
/// find out.
final class TLSClient: Sendable {
    private let host: String
    private let refused = Mutex<TLSFailure.Certificate?>(nil)

    init(host: String) {
        self.host = host
    }

    func makeHandler(_ context: NIOSSLContext) throws -> NIOSSLClientHandler {
        try (self as any HandlerMaking).makeHandler(context, name: self.name)
    }

    /// What to say for an error, and whether it is a refusal.
    func describe(_ error: any Error, now: Int64) -> (reason: String, isRefusal: Bool) {
        let certificate = self.refused.withLock(\.self)
        return TLSFailure.describe("\(error)", refused: certificate, host: self.host, now: now)
    }

    /// The host where it is a name: an address is no server name (RFC 6066, section 3), and is
    /// looked for in the certificate as the address that the connection leads to.
    private var name: String? {
        (try? SocketAddress(ipAddress: self.host, port: 0)) == nil ? self.host : nil
    }

    fileprivate func checked(
        _ result: NIOSSLVerificationResult,
        _ certificate: NIOSSLCertificate
    ) -> NIOSSLVerificationResult {
        if result == .failed {
            let dates = TLSFailure.Certificate(
                notBefore: Int64(certificate.notValidBefore),
                notAfter: Int64(certificate.notValidAfter)
            )
            self.refused.withLock { $0 = dates }
        }
        return result
    }
}

/// Reaches a function of the library that is deprecated.
///
/// It is so because it lets programs overrule the check of certificates. No other tells which
/// certificate failed, and this one's result is handed on as it is.
private protocol HandlerMaking {
    func makeHandler(_ context: NIOSSLContext, name: String?) throws -> NIOSSLClientHandler
}

extension TLSClient: HandlerMaking {
    @available(*, deprecated, message: "see HandlerMaking")
    fileprivate func makeHandler(
        _ context: NIOSSLContext,
        name: String?
    ) throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: context, serverHostname: name) { result, certificate in
            self.checked(result, certificate)
        }
    }
}
