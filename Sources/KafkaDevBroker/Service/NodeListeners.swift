internal import NIOCore
internal import NIOPosix
internal import NIOSSL

/// The ports of the cluster's nodes, all on one event loop.
final class NodeListeners {
    private let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop
    private let host: String
    private let requestLimit: Int
    private var channels: [Int32: any Channel] = [:]
    /// Nil leaves connections unencrypted.
    var tls: NIOSSLContext?

    init(group: MultiThreadedEventLoopGroup, loop: any EventLoop, host: String, requestLimit: Int) {
        self.group = group
        self.loop = loop
        self.host = host
        self.requestLimit = requestLimit
    }

    /// Opens a node's port and tells which it is; 0 takes a free one.
    func open(_ node: Int32, port: Int, for shell: BrokerShell) -> EventLoopFuture<Int> {
        let listeners = NIOLoopBound(self, eventLoop: self.loop)
        return self.bind(node, port: port, for: shell).map { channel in
            listeners.value.channels[node] = channel
            return channel.localAddress?.port ?? 0
        }
    }

    func close(_ node: Int32) {
        self.channels.removeValue(forKey: node)?.close(promise: nil)
    }

    func closeAll() {
        for node in self.channels.keys { self.close(node) }
    }

    private func bind(
        _ node: Int32,
        port: Int,
        for shell: BrokerShell
    ) -> EventLoopFuture<any Channel> {
        let shell = NIOLoopBound(shell, eventLoop: self.loop)
        let limit = self.requestLimit
        let tls = self.tls
        let buffers = AdaptiveRecvByteBufferAllocator(
            minimum: 4096,
            initial: 65_536,
            maximum: 1 << 20
        )
        return ServerBootstrap(group: self.group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    let handler = BrokerConnectionHandler(
                        shell.value,
                        node: node,
                        requestLimit: limit
                    )
                    try pipeline.addHandler(handler)
                }
            }
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: buffers)
            .bind(host: self.host, port: port)
            .hop(to: self.loop)
    }
}
