import Crypto
import KafkaProtocol
import Testing

@testable import Kafka

@Suite struct SCRAMExchangeTests {
    private static let user = (name: "user", password: Secret("pencil"))
    private static let challenge =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"

    @Test func `the conversation of RFC 5802, section 5`() throws {
        var exchange = SCRAMExchange<Insecure.SHA1>(
            username: Self.user.name,
            password: Self.user.password,
            nonce: "fyko+d2lbbFgONRv9qkxdawL"
        )
        #expect(exchange.said == "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL")
        let nonce = "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"
        let answer = try exchange.hears("r=\(nonce),s=QSXCR+Q6sek8bf92,i=4096")
        #expect(answer == "c=biws,r=\(nonce),p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=")
        #expect(!exchange.isComplete)
        #expect(try exchange.hears("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=") == nil)
        #expect(exchange.isComplete)
    }

    @Test func `the conversation of RFC 7677, section 3`() throws {
        var exchange = Self.sha256()
        #expect(exchange.said == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
        let answer = try exchange.hears(Self.challenge)
        #expect(answer?.hasSuffix("p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=") == true)
        let last = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        #expect(try exchange.hears(last) == nil)
        #expect(exchange.isComplete)
    }

    @Test func `the same with SHA-512, as Python's hashlib has it`() throws {
        var exchange = SCRAMExchange<SHA512>(
            username: Self.user.name,
            password: Self.user.password,
            nonce: "rOprNGfwEbeRWgbNEkqO"
        )
        let answer = try exchange.hears(Self.challenge)
        let proof =
            "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ=="
        #expect(answer?.hasSuffix("p=\(proof)") == true)
        let signature =
            "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw=="
        _ = try exchange.hears("v=\(signature)")
        #expect(exchange.isComplete)
    }

    @Test func `a broker that does not know the password is not believed`() throws {
        var exchange = Self.sha256()
        _ = try exchange.hears(Self.challenge)
        let wrong = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8="
        #expect(
            throws: SASLError(
                "the broker does not know the password: it is not who it says it is"
            )
        ) {
            try exchange.hears(wrong)
        }
        #expect(!exchange.isComplete)
    }

    @Test(arguments: [
        ("r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "nonce does not begin with ours"),
        ("r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "nonce does not begin"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095", "4095 iterations"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=2147483647", "2147483647 iter"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1", "-1 iterations"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096", "does not read"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=W2,i=4096", "does not read"),
        ("r=rOprNGfwEbeRWgbNEkqOx,i=4096,s=W22ZaJ0SNY7soEsUEjb6gQ==", "does not read"),
        ("m=must,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "an extension"),
        ("e=unknown-user", "the broker refused it: unknown-user"),
        ("", "does not read"),
        ("r", "does not read"),
    ])
    func `a first message that is not safe is refused`(message: String, reason: String) {
        var exchange = Self.sha256()
        let error = #expect(throws: SASLError.self) { try exchange.hears(message) }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func `a name keeps its commas and equals signs`() throws {
        let exchange = SCRAMExchange<SHA256>(
            username: "a=b,c",
            password: Secret("x"),
            nonce: "n"
        )
        #expect(exchange.said == "n,,n=a=3Db=2Cc,r=n")
        #expect(SCRAMMessage.unescape("a=3Db=2Cc") == "a=b,c")
        #expect(SCRAMMessage.unescape("a=2") == nil)
    }

    @Test func `PLAIN and OAUTHBEARER say what their RFCs have them say`() throws {
        let plain = SASLExchange(.plain(username: "tim", password: Secret("tanstaafl")), nonce: "")
        #expect(plain.firstMessage == Array("\0tim\0tanstaafl".utf8))
        let extensions = ["cluster": "c1"]
        var bearer = SASLExchange(
            .oauthBearer(token: Secret("t"), extensions: extensions),
            nonce: ""
        )
        let message = "n,,\u{1}auth=Bearer t\u{1}cluster=c1\u{1}\u{1}"
        #expect(bearer.firstMessage == Array(message.utf8))
        #expect(bearer.isComplete)
        // A refusal is answered, and only then followed by the error itself.
        #expect(try bearer.received(Array("{\"status\":\"invalid_token\"}".utf8)) == [1])
        #expect(!bearer.isComplete)
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"),
    ])
    func `base64 is that of RFC 4648, section 10`(text: String, encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(text.utf8))
    }

    @Test(arguments: ["Zg=", "Zg", "Zh==", "Z===", "====", "Zm9v\n", "Zm9-", "Zg==Zg=="])
    func `base64 of another form is not read`(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    private static func sha256() -> SCRAMExchange<SHA256> {
        SCRAMExchange(
            username: self.user.name,
            password: self.user.password,
            nonce: "rOprNGfwEbeRWgbNEkqO"
        )
    }
}

extension SCRAMExchange {
    fileprivate var said: String { String(decoding: self.firstMessage, as: UTF8.self) }

    fileprivate mutating func hears(_ text: String) throws -> String? {
        try self.received(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }
}
