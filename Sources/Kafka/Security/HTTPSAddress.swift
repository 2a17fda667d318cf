/// An address of the form `https://host:port/path?query`.
package struct HTTPSAddress: Sendable, Equatable {
    package let host: String
    package let port: Int
    /// Path and query.
    package let target: String

    package init?(_ text: String) {
        let scheme = "https://"
        guard text.lowercased().hasPrefix(scheme),
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        let rest = text.dropFirst(scheme.count).prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let target = rest.dropFirst(authority.count)
        // A name and password before the host would be sent to nobody.
        guard !authority.contains("@") else { return nil }
        let hasPort = authority.hasSuffix("]") ? false : authority.contains(":")
        guard
            let address = try? BrokerAddress(
                parsing: hasPort ? String(authority) : "\(authority):443"
            )
        else { return nil }
        self.host = address.host
        self.port = address.port
        self.target = target.hasPrefix("/") ? String(target) : "/\(target)"
    }

    /// The value of the header `Host`.
    package var authority: String {
        let host = self.host.contains(":") ? "[\(self.host)]" : self.host
        return self.port == 443 ? host : "\(host):\(self.port)"
    }
}
