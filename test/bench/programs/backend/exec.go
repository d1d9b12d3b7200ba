package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
	"outrider.dev/test/bench/programs/internal/channel"
	"outrider.dev/test/bench/programs/internal/pattern"
)

// socketBuffer holds a whole message of client-go's copy loop.
const socketBuffer = 64 << 10

// farewell bounds the wait for the client's close frame.
const farewell = 5 * time.Second

const success = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}`

var upgrader = websocket.Upgrader{
	Subprotocols:    []string{channel.Subprotocol},
	ReadBufferSize:  socketBuffer,
	WriteBufferSize: socketBuffer,
	// No browser is involved.
	CheckOrigin: func(*http.Request) bool { return true },
}

// exec is a command that writes `out` octets, or with `in` counts what it reads.
func exec(w http.ResponseWriter, r *http.Request) {
	out, err := strconv.ParseInt(r.URL.Query().Get("out"), 10, 64)
	in := r.URL.Query().Get("in") == "1"
	if !in && (err != nil || out < 0 || out > maxBytes) {
		http.Error(w, "either in=1 or out=N is needed", http.StatusBadRequest)
		return
	}
	socket, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer socket.Close()
	// As in a real exec, what the client does not take or send ends with its connection.
	if in {
		err = countStdin(socket)
	} else {
		err = writeStdout(socket, out)
	}
	if err != nil {
		return
	}
	if socket.WriteMessage(websocket.BinaryMessage, append([]byte{channel.Error}, success...)) != nil {
		return
	}
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if socket.WriteControl(websocket.CloseMessage, bye, time.Now().Add(farewell)) != nil {
		return
	}
	// Until the client's close frame: a socket closed with octets unread is reset, and a reset can overtake what was sent.
	_ = socket.SetReadDeadline(time.Now().Add(farewell))
	for err == nil {
		_, _, err = socket.NextReader()
	}
}

func writeStdout(socket *websocket.Conn, n int64) error {
	message := make([]byte, 1+channel.MessageBytes)
	message[0] = channel.Stdout
	content := pattern.NewReader(n)
	for {
		size, err := content.Read(message[1:])
		if err == io.EOF {
			return nil
		}
		if err := socket.WriteMessage(websocket.BinaryMessage, message[:1+size]); err != nil {
			return err
		}
	}
}

func countStdin(socket *websocket.Conn) error {
	var check pattern.Checker
	var count int64
	buffer := make([]byte, socketBuffer)
	for {
		_, reader, err := socket.NextReader()
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(reader, buffer[:1]); err != nil {
			return err
		}
		if buffer[0] == channel.Close {
			answer := fmt.Appendf([]byte{channel.Stdout}, "%d", count)
			return socket.WriteMessage(websocket.BinaryMessage, answer)
		}
		if buffer[0] != channel.Stdin {
			continue
		}
		for {
			size, err := reader.Read(buffer)
			if wrong := check.Check(buffer[:size]); wrong != nil {
				return wrong
			}
			count += int64(size)
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
		}
	}
}
