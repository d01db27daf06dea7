// go run verify.go ADDRESS ISSUER AUDIENCE: reads a token from each line, and writes its subject, or "-" if
// go-jose refuses the token. ADDRESS is that of the JWK Set.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	jose "gopkg.in/square/go-jose.v2"
	"gopkg.in/square/go-jose.v2/jwt"
)

func fetch(address string) (set jose.JSONWebKeySet) {
	answer, err := http.Get(address)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&set); err != nil {
		panic(err)
	}
	return set
}

func verify(text string, set jose.JSONWebKeySet, issuer string, audience string) (string, error) {
	token, err := jwt.ParseSigned(text)
	if err != nil {
		return "", err
	}
	header := token.Headers[0]
	keys := set.Key(header.KeyID)
	if len(keys) != 1 || keys[0].Algorithm != header.Algorithm {
		return "", fmt.Errorf("no key for %q and %q", header.KeyID, header.Algorithm)
	}
	if header.ExtraHeaders["typ"] != "at+jwt" {
		return "", fmt.Errorf("the type is %v", header.ExtraHeaders["typ"])
	}
	claims := jwt.Claims{}
	if err := token.Claims(keys[0].Key, &claims); err != nil {
		return "", err
	}
	expected := jwt.Expected{Issuer: issuer, Audience: jwt.Audience{audience}, Time: time.Now()}
	return claims.Subject, claims.ValidateWithLeeway(expected, 0)
}

func main() {
	set := fetch(os.Args[1])
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		subject, err := verify(lines.Text(), set, os.Args[2], os.Args[3])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			subject = "-"
		}
		fmt.Println(subject)
	}
}
