internal import NIOCore

/// Where tokens come from; one that lasts serves all connections.
///
/// Safe to share: after it is made, everything runs on the producer's event loop.
final class TokenSource: @unchecked Sendable {
    typealias Completion = (Result<Secret, KafkaProducerError>) -> Void

    private enum Origin {
        case file(SecurityFile)
        case endpoint(TokenEndpoint)
        case provider(OAuthBearerTokenProvider)
    }

    private let origin: Origin
    private let timeout: Duration
    private let eventLoop: any EventLoop
    private var kept: (token: Secret, until: ContinuousClock.Instant)?
    private var waiting: [Completion] = []
    private var timer: Scheduled<Void>?

    init(
        _ settings: OAuthBearerSettings,
        _ configuration: KafkaProducerConfiguration,
        _ eventLoop: any EventLoop
    ) throws(KafkaProducerError) {
        self.timeout = configuration.requestTimeout
        self.eventLoop = eventLoop
        if let provider = settings.provider {
            self.origin = .provider(provider)
        } else if let text = settings.tokenEndpointURL, let address = HTTPSAddress(text) {
            self.origin = .endpoint(
                try TokenEndpoint(
                    address,
                    settings,
                    timeout: configuration.requestTimeout,
                    eventLoop: eventLoop
                )
            )
        } else {
            let property = "sasl.oauthbearer.token.file"
            self.origin = .file(SecurityFile(property: property, path: settings.tokenFile ?? ""))
        }
    }

    /// Gives a token, at once or later.
    func getToken(_ completion: @escaping Completion) {
        if case .file(let file) = self.origin {
            return completion(Result { () throws(KafkaProducerError) in try file.secret() })
        }
        if let kept = self.kept, kept.until > .now { return completion(.success(kept.token)) }
        self.waiting.append(completion)
        // Connections that begin together ask once.
        guard self.waiting.count == 1 else { return }
        switch self.origin {
        case .endpoint(let endpoint): endpoint.getToken { self.received($0) }
        case .provider(let provider): self.ask(provider)
        case .file: return
        }
    }

    private func ask(_ provider: OAuthBearerTokenProvider) {
        let task = Task {
            let result: Result<OAuthBearerToken, KafkaProducerError>
            do {
                result = .success(try await provider.body())
            } catch {
                result = .failure(.configuration("there is no token: \(error)"))
            }
            self.eventLoop.execute { self.received(result) }
        }
        // One that never answers must not keep later logins from asking.
        self.timer = self.eventLoop.scheduleTask(in: TimeAmount(self.timeout)) {
            task.cancel()
            self.received(.failure(.configuration("there is no token within \(self.timeout)")))
        }
    }

    private func received(_ result: Result<OAuthBearerToken, KafkaProducerError>) {
        if case .success(let token) = result, let lifetime = token.lifetime {
            // Kafka's client gets a new one at the same point (sasl.login.refresh.window.factor);
            // a session that ends with the token is renewed later than that.
            self.kept = (token.value, .now + lifetime * 8 / 10)
        }
        self.timer?.cancel()
        let waiting = self.waiting
        self.waiting = []
        for completion in waiting { completion(result.map(\.value)) }
    }
}
