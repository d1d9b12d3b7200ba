// Package channel names what Kubernetes' remote command protocol over WebSocket uses (KEP-4006: the first octet of a message is its channel).
package channel

// Subprotocol is the version that can close standard input.
const Subprotocol = "v5.channel.k8s.io"

// Channels, in the order of client-go's remotecommand.
const (
	Stdin  = 0
	Stdout = 1
	Stderr = 2
	// Error carries one metav1.Status, the outcome.
	Error = 3
	// Close, followed by the number of a channel, ends that channel.
	Close = 255
)

// MessageBytes is how much client-go's copy loop sends at once.
const MessageBytes = 32 << 10
