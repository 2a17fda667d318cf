internal import Crypto
internal import KafkaProtocol

/// SCRAM (RFC 5802): both sides prove that they know the password, and neither says it.
struct SCRAMExchange<Hash: HashFunction> {
    /// Below, a stolen message is too cheap to try passwords on; RFC 7677 and Kafka ask for as many.
    static var leastIterations: Int { 4096 }
    /// Beyond, the work is an attack: six times as many as Kafka itself stores (16,384).
    static var mostIterations: Int { 100_000 }

    private enum State {
        case begun
        /// The broker's last message has to be this.
        case proven(signature: [UInt8])
        case complete
    }

    private let password: Secret
    private let nonce: String
    private let firstBare: String
    private var state = State.begun

    init(username: String, password: Secret, nonce: String) {
        self.password = password
        self.nonce = nonce
        self.firstBare = "n=\(SCRAMMessage.escape(username)),r=\(nonce)"
    }

    /// No channel binding, for Kafka has none.
    var firstMessage: [UInt8] { Array("n,,\(self.firstBare)".utf8) }

    var isComplete: Bool {
        if case .complete = self.state { true } else { false }
    }

    mutating func received(_ bytes: [UInt8]) throws(SASLError) -> [UInt8]? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let message = SCRAMMessage(text) else {
            throw SASLError("the broker's SCRAM message does not read")
        }
        if message.attributes.first?.name == "e" {
            throw SASLError("the broker refused it: \(message.attributes.first?.value ?? "")")
        }
        switch self.state {
        case .begun: return try self.prove(text, message)
        case .proven(let signature):
            try self.verify(message, signature)
            return nil
        case .complete: throw SASLError("the broker said more than SCRAM allows")
        }
    }

    private mutating func prove(
        _ text: String,
        _ message: SCRAMMessage
    ) throws(SASLError) -> [UInt8] {
        if message.attributes.first?.name == "m" {
            throw SASLError("the broker asks for an extension of SCRAM that is not known")
        }
        guard let values = message.values("r", "s", "i"),
            let salt = Base64.decode(values[1]), !salt.isEmpty, let iterations = Int(values[2])
        else { throw SASLError("the broker's first SCRAM message does not read") }
        guard values[0].hasPrefix(self.nonce), values[0].utf8.count > self.nonce.utf8.count else {
            throw SASLError("the broker's nonce does not begin with ours: it answered another")
        }
        guard (Self.leastIterations...Self.mostIterations).contains(iterations) else {
            throw SASLError(
                "the broker asks for \(iterations) iterations of SCRAM; safe and sensible are"
                    + " \(Self.leastIterations) to \(Self.mostIterations)"
            )
        }
        let keys = SCRAMKeys<Hash>(
            password: self.password.text,
            salt: salt,
            iterations: iterations
        )
        let withoutProof = "c=biws,r=\(values[0])"
        let signed = "\(self.firstBare),\(text),\(withoutProof)"
        self.state = .proven(signature: keys.serverSignature(for: signed))
        let proof = Base64.encode(keys.clientProof(for: signed))
        return Array("\(withoutProof),p=\(proof)".utf8)
    }

    private mutating func verify(
        _ message: SCRAMMessage,
        _ signature: [UInt8]
    ) throws(SASLError) {
        guard let values = message.values("v"), let found = Base64.decode(values[0]) else {
            throw SASLError("the broker's last SCRAM message does not read")
        }
        guard areEqual(found, signature) else {
            throw SASLError("the broker does not know the password: it is not who it says it is")
        }
        self.state = .complete
    }
}

extension SCRAMExchange: CustomReflectable {
    /// Says nothing of what is derived from the password.
    var customMirror: Mirror { Mirror(self, children: ["isComplete": self.isComplete]) }
}
