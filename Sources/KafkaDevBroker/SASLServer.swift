internal import Crypto
internal import KafkaProtocol

/// The broker's side of a SASL conversation.
enum SASLServer {
    enum Outcome: Equatable {
        case next([UInt8])
        case accepted(user: String, [UInt8])
        case refused(String)
    }

    case plain
    case scramSHA256(SCRAMServer<SHA256>)
    case scramSHA512(SCRAMServer<SHA512>)
    case oauthBearer(isRefused: Bool)

    /// Nil for a mechanism that is not known.
    init?(mechanism: String, random: BrokerRandom) {
        switch mechanism {
        case "PLAIN": self = .plain
        case "SCRAM-SHA-256": self = .scramSHA256(SCRAMServer(random: random))
        case "SCRAM-SHA-512": self = .scramSHA512(SCRAMServer(random: random))
        case "OAUTHBEARER": self = .oauthBearer(isRefused: false)
        default: return nil
        }
    }

    mutating func received(
        _ bytes: [UInt8],
        _ configuration: BrokerStateMachine.SASLConfiguration
    ) -> Outcome {
        let text = String(decoding: bytes, as: UTF8.self)
        switch self {
        case .plain: return Self.plain(text, configuration)
        case .scramSHA256(var server):
            defer { self = .scramSHA256(server) }
            return server.received(text, users: configuration.users)
        case .scramSHA512(var server):
            defer { self = .scramSHA512(server) }
            return server.received(text, users: configuration.users)
        case .oauthBearer(let isRefused):
            guard !isRefused else { return .refused("{\"status\":\"invalid_token\"}") }
            if let token = Self.token(in: text), configuration.tokens.contains(token) {
                return .accepted(user: "bearer", [])
            }
            // The client answers this before it is told the error (RFC 7628, section 3.2.3).
            self = .oauthBearer(isRefused: true)
            return .next(Array("{\"status\":\"invalid_token\"}".utf8))
        }
    }

    private static func plain(
        _ text: String,
        _ configuration: BrokerStateMachine.SASLConfiguration
    ) -> Outcome {
        let parts = text.split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, parts[0].isEmpty || parts[0] == parts[1],
            let password = configuration.users[parts[1]],
            areEqual(Array(password.utf8), Array(parts[2].utf8))
        else { return .refused("Authentication failed: Invalid username or password") }
        return .accepted(user: parts[1], [])
    }

    private static func token(in text: String) -> String? {
        let fields = text.split(separator: "\u{1}")
        guard fields.first?.hasPrefix("n,") == true else { return nil }
        let scheme = "auth=bearer "
        return fields.first { $0.lowercased().hasPrefix(scheme) }
            .map { String($0.dropFirst(scheme.count)) }
    }
}

/// The broker's side of SCRAM (RFC 5802).
struct SCRAMServer<Hash: HashFunction> {
    private enum State {
        case begun
        case challenged(user: String, keys: SCRAMKeys<Hash>, signed: String, nonce: String)
        case ended
    }

    private static var iterations: Int { 4096 }
    private static var refusal: SASLServer.Outcome {
        .refused("Authentication failed during authentication due to invalid credentials")
    }

    private let random: BrokerRandom
    private var state = State.begun

    init(random: BrokerRandom) {
        self.random = random
    }

    mutating func received(_ text: String, users: [String: String]) -> SASLServer.Outcome {
        switch self.state {
        case .begun: return self.challenge(text, users)
        case .challenged(let user, let keys, let signed, let nonce):
            self.state = .ended
            return Self.verify(text, user, keys, signed, nonce)
        case .ended: return .refused("the exchange has ended")
        }
    }

    private mutating func challenge(
        _ text: String,
        _ users: [String: String]
    ) -> SASLServer.Outcome {
        // Without channel binding, and as nobody but oneself.
        let prefix = "n,,"
        guard text.hasPrefix(prefix) else { return .refused("Invalid SASL/SCRAM message format") }
        let bare = String(text.dropFirst(prefix.count))
        guard let values = SCRAMMessage(bare)?.values("n", "r"), !values[1].isEmpty,
            let user = SCRAMMessage.unescape(values[0])
        else { return .refused("Invalid SASL/SCRAM message format") }
        guard let password = users[user] else { return Self.refusal }
        let salt = self.random.bytes("salt \(user)")
        let nonce = values[1] + Base64.encode(self.random.bytes("nonce"))
        let iterations = Self.iterations
        let challenge = "r=\(nonce),s=\(Base64.encode(salt)),i=\(iterations)"
        let keys = SCRAMKeys<Hash>(password: password, salt: salt, iterations: iterations)
        self.state = .challenged(
            user: user,
            keys: keys,
            signed: "\(bare),\(challenge)",
            nonce: nonce
        )
        return .next(Array(challenge.utf8))
    }

    private static func verify(
        _ text: String,
        _ user: String,
        _ keys: SCRAMKeys<Hash>,
        _ signed: String,
        _ nonce: String
    ) -> SASLServer.Outcome {
        guard let message = SCRAMMessage(text), let last = message.attributes.last,
            let values = message.values("c", "r"), values == ["biws", nonce],
            last.name == "p", let proof = Base64.decode(last.value)
        else { return Self.refusal }
        let withoutProof = text.dropLast(",p=".count + last.value.count)
        let complete = "\(signed),\(withoutProof)"
        guard keys.verifies(proof: proof, of: complete) else { return Self.refusal }
        let signature = Base64.encode(keys.serverSignature(for: complete))
        return .accepted(user: user, Array("v=\(signature)".utf8))
    }
}

/// Bytes that nobody can guess who does not know the broker's seed, the same for the same seed.
struct BrokerRandom: Sendable {
    let seed: UInt64
    let connection: Int
    let attempt: Int

    /// Sixteen bytes.
    func bytes(_ purpose: String) -> [UInt8] {
        let key = SymmetricKey(data: withUnsafeBytes(of: self.seed.bigEndian, Array.init))
        let text = "\(purpose) \(self.connection) \(self.attempt)"
        return Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key).prefix(16))
    }
}
