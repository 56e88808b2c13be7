package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

func TestPartsThatDoNotEndTakeNoMoreThanTheLimitTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, asked := make(chan struct{}), make(chan struct{})
		parts := newStages(zap.NewNop())
		parts.start("fed", stopAll, func(ctx context.Context) error {
			<-ctx.Done()
			close(asked)
			return nil
		})
		for _, name := range []string{"one", "two", "three"} {
			parts.start(name, stopAll/2, func(context.Context) error {
				<-release
				return nil
			})
		}
		began := time.Now()
		if err := parts.stop(); err == nil {
			t.Error("parts that were left behind are no error")
		}
		if took := time.Since(began); took > stopAll {
			t.Errorf("stopping took %s", took) // of the bubble's clock
		}
		<-asked
		close(release)
	})
}
