package client_test

import (
	"fmt"

	"polyid-trainer/api/client"
)

// An address is checked before anything is sent to it.
func ExampleNew() {
	c, err := client.New("http://localhost:8080", "")
	fmt.Println(c.Server, err)
	_, err = client.New("localhost:8080", "")
	fmt.Println(err)
	// Output:
	// http://localhost:8080 <nil>
	// the server is not an address such as http://127.0.0.1:8080
}
