/// Where a lane gets its receipts.
///
/// Both functions are called on the producer's event loop: they hand over and return. A batch that
/// had to be split comes back in pieces, so what is outstanding is counted in records.
package protocol DeliveryListener: AnyObject, Sendable {
    /// Batches of this listener were acknowledged or failed.
    func deliver(_ deliveries: [Delivery])
    /// A topic's partitions, leaders or error changed.
    func metadataChanged(_ metadata: TopicMetadata)
}
