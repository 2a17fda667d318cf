package import Crypto

/// What both sides of SCRAM derive from a password: RFC 5802, section 3.
///
/// Kafka takes the password as it is, without SASLprep.
package struct SCRAMKeys<Hash: HashFunction>: Sendable {
    package let storedKey: [UInt8]
    package let serverKey: [UInt8]
    /// Known to the client only.
    private let clientKey: [UInt8]

    package init(password: String, salt: [UInt8], iterations: Int) {
        let salted = Self.saltedPassword(Array(password.utf8), salt: salt, iterations: iterations)
        self.clientKey = Self.authenticate("Client Key", key: salted)
        self.serverKey = Self.authenticate("Server Key", key: salted)
        self.storedKey = Array(Hash.hash(data: self.clientKey))
    }

    /// Proves to the server that the client knows the password.
    package func clientProof(for message: String) -> [UInt8] {
        zip(self.clientKey, Self.authenticate(message, key: self.storedKey)).map { $0 ^ $1 }
    }

    /// Proves to the client that the server knows the password.
    package func serverSignature(for message: String) -> [UInt8] {
        Self.authenticate(message, key: self.serverKey)
    }

    /// Whether a proof was made with the password.
    package func verifies(proof: [UInt8], of message: String) -> Bool {
        let signature = Self.authenticate(message, key: self.storedKey)
        guard proof.count == signature.count else { return false }
        let clientKey = zip(proof, signature).map { $0 ^ $1 }
        return areEqual(Array(Hash.hash(data: clientKey)), self.storedKey)
    }

    /// `Hi()`, which is PBKDF2 for one block.
    private static func saltedPassword(
        _ password: [UInt8],
        salt: [UInt8],
        iterations: Int
    ) -> [UInt8] {
        // The key is hashed once; each round goes on from there.
        let keyed = HMAC<Hash>(key: SymmetricKey(data: password))
        var round = keyed
        round.update(data: salt + [0, 0, 0, 1])
        var block = round.finalize()
        var sum = Array(block)
        for _ in 1..<max(1, iterations) {
            round = keyed
            block.withUnsafeBytes { round.update(data: $0) }
            block = round.finalize()
            block.withUnsafeBytes { bytes in
                for index in sum.indices { sum[index] ^= bytes[index] }
            }
        }
        return sum
    }

    private static func authenticate(_ message: String, key: [UInt8]) -> [UInt8] {
        let key = SymmetricKey(data: key)
        return Array(HMAC<Hash>.authenticationCode(for: Array(message.utf8), using: key))
    }
}

/// Compares in the same time wherever the first difference is.
package func areEqual(_ first: [UInt8], _ second: [UInt8]) -> Bool {
    guard first.count == second.count else { return false }
    return zip(first, second).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
}
