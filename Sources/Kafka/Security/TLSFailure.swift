/// What is wrong with a certificate, in the words of the person who has to mend it.
package enum TLSFailure {
    /// A certificate that did not stand the check.
    package struct Certificate: Sendable, Equatable {
        /// Seconds since 1970.
        package var notBefore: Int64
        package var notAfter: Int64

        package init(notBefore: Int64, notAfter: Int64) {
            self.notBefore = notBefore
            self.notAfter = notAfter
        }
    }

    /// What to say for an error of the TLS library, and whether trying again soon makes no sense.
    ///
    /// - Parameter now: Seconds since 1970.
    package static func describe(
        _ error: String,
        refused certificate: Certificate?,
        host: String,
        now: Int64
    ) -> (reason: String, isRefusal: Bool) {
        if error.contains("CERTIFICATE_VERIFY_FAILED") {
            return (self.describe(certificate, now: now), true)
        }
        if error.contains("failedToValidateHostname") {
            return (
                "the broker's certificate is not for \"\(host)\""
                    + " (ssl.endpoint.identification.algorithm= takes it for any host)", true
            )
        }
        if let known = self.known.first(where: { error.contains($0.code) }) {
            return (known.reason, known.isRefusal)
        }
        return ("TLS: \(error)", false)
    }

    private static func describe(_ certificate: Certificate?, now: Int64) -> String {
        if let certificate, certificate.notAfter < now {
            return "the broker's certificate expired \(self.age(now - certificate.notAfter)) ago"
        }
        if let certificate, certificate.notBefore > now {
            return "the broker's certificate is not valid yet: is the clock right?"
        }
        return "the broker's certificate is not signed by whom ssl.ca.location trusts"
    }

    private static func age(_ seconds: Int64) -> String {
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600, seconds / 60)
        if days > 1 { return "\(days) days" }
        return hours > 1 ? "\(hours) hours" : "\(minutes) min"
    }

    /// The library's names for alerts and errors; the first that fits counts.
    private static let known: [(code: String, reason: String, isRefusal: Bool)] = [
        (
            "EOF during handshake",
            "the broker closed the connection before TLS was agreed on: is the port for TLS"
                + " (security.protocol)?", false
        ),
        ("uncleanShutdown", "the broker closed the connection", false),
        (
            "CERTIFICATE_REQUIRED",
            "the broker wants a certificate: set ssl.certificate.location and ssl.key.location",
            true
        ),
        ("ALERT_UNKNOWN_CA", "the broker does not trust ssl.certificate.location", true),
        (
            "ALERT_BAD_CERTIFICATE",
            "the broker does not take ssl.certificate.location, if it"
                + " wants a certificate", true
        ),
        ("CERTIFICATE_EXPIRED", "ssl.certificate.location has expired", true),
        ("CERTIFICATE_REVOKED", "ssl.certificate.location was revoked", true),
        ("CERTIFICATE_UNKNOWN", "the broker does not take ssl.certificate.location", true),
        (
            "ALERT_HANDSHAKE_FAILURE",
            "the broker ended TLS: does it want a certificate (ssl.certificate.location)?", true
        ),
        (
            "PROTOCOL_VERSION",
            "the broker speaks no version of TLS in ssl.enabled.protocols", true
        ),
        (
            "UNSUPPORTED_PROTOCOL", "the broker speaks no version of TLS in ssl.enabled.protocols",
            true
        ),
        ("WRONG_VERSION_NUMBER", "the port does not speak TLS (security.protocol)", true),
        ("HTTP_REQUEST", "the port does not speak TLS (security.protocol)", true),
    ]
}
