import Testing

@testable import Kafka

@Suite struct TLSFailureTests {
    private static let verification =
        "handshakeFailed(BoringSSLError.sslError([Error: 268435581 error:1000007d:SSL"
        + " routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED at ssl/handshake.cc:298]))"
    private static let day: Int64 = 86_400

    @Test func `a certificate is expired, early, or signed by a stranger`() {
        func reason(_ notBefore: Int64, _ notAfter: Int64) -> String {
            TLSFailure.describe(
                Self.verification,
                refused: .init(notBefore: notBefore * Self.day, notAfter: notAfter * Self.day),
                host: "broker",
                now: 100 * Self.day
            ).reason
        }
        #expect(reason(10, 88) == "the broker's certificate expired 12 days ago")
        #expect(reason(10, 99) == "the broker's certificate expired 24 hours ago")
        #expect(reason(101, 200).hasPrefix("the broker's certificate is not valid yet"))
        #expect(
            reason(10, 200)
                == "the broker's certificate is not signed by whom ssl.ca.location trusts"
        )
    }

    @Test(arguments: [
        ("failedToValidateHostname: Couldn't find <none>", "is not for \"broker\"", true),
        ("TLSV1_ALERT_UNKNOWN_CA", "does not trust ssl.certificate.location", true),
        ("TLSV1_ALERT_CERTIFICATE_REQUIRED", "wants a certificate", true),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "has expired", true),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "ssl.enabled.protocols", true),
        ("WRONG_VERSION_NUMBER", "does not speak TLS", true),
        ("EOF during handshake", "is the port for TLS", false),
        ("something new", "TLS: something new", false),
    ])
    func `an error of the library is put in words`(error: String, text: String, isRefusal: Bool) {
        let (reason, found) = TLSFailure.describe(error, refused: nil, host: "broker", now: 0)
        #expect(reason.contains(text), "\(reason)")
        #expect(found == isRefusal)
    }
}
