"""Campus food ordering: reference services that keep every promise of at-least-once delivery."""
