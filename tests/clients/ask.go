// Asks by net/http with its default client: go run ask.go URL COUNT ROW_FILE LONG_FILE.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
)

func main() {
	url := os.Args[1]
	count, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	row, long := read(os.Args[3]), read(os.Args[4])
	errors := 0
	for number := range count {
		var response *http.Response
		var err error
		switch {
		case number%10 < 4:
			response, err = http.Get(url + "/api/v1/contract")
		case number%10 < 9:
			response, err = http.Post(url+"/api/v1/predict", "application/json", bytes.NewReader(row))
		default:
			response, err = http.Post(url+"/api/v1/predict", "application/json", bytes.NewReader(long))
		}
		var body []byte
		if err == nil {
			body, err = io.ReadAll(response.Body)
			response.Body.Close()
		}
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s %s", response.Status, body)
		}
		if err != nil {
			errors++
			if errors <= 3 {
				fmt.Fprintln(os.Stderr, number, err)
			}
		}
	}
	fmt.Printf("%d requests, %d errors\n", count, errors)
}

func read(path string) []byte {
	content, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return content
}
