internal import KafkaProtocol

/// The request by which a client gets a token for its id and secret (RFC 6749, section 4.4.2).
package struct TokenRequest: Sendable, Equatable {
    package let target: String
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]

    package init(
        address: HTTPSAddress,
        clientID: String,
        clientSecret: Secret,
        scope: String?,
        encodesHeader: Bool
    ) {
        let id = encodesHeader ? formEncoded(clientID) : clientID
        let secret = encodesHeader ? formEncoded(clientSecret.text) : clientSecret.text
        var fields = "grant_type=client_credentials"
        if let scope { fields += "&scope=\(formEncoded(scope))" }
        self.target = address.target
        self.body = Array(fields.utf8)
        self.headers = [
            ("Host", address.authority),
            ("Authorization", "Basic \(Base64.encode(Array("\(id):\(secret)".utf8)))"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Length", "\(self.body.count)"),
            ("Accept", "application/json"),
            ("Connection", "close"),
        ]
    }

    package static func == (first: Self, second: Self) -> Bool {
        first.target == second.target && first.body == second.body
            && first.headers.elementsEqual(second.headers, by: ==)
    }
}

extension TokenRequest: CustomReflectable {
    /// Says nothing of the header that holds the secret.
    package var customMirror: Mirror { Mirror(self, children: ["target": self.target]) }
}

extension TokenRequest: CustomStringConvertible {
    package var description: String { "POST \(self.target)" }
}

/// A text as a field of a form.
private func formEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF")
    return text.utf8.map { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "*"):
            String(Character(UnicodeScalar(byte)))
        case UInt8(ascii: " "): "+"
        default: "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
        }
    }.joined()
}
