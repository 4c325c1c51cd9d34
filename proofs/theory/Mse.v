(** Mean squared error L(Z) = |Z - Y|^2 / (2N), for any target matrix Y. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Mse.
Variables (R : rcfType) (K N : nat) (Y : 'M[R]_(K, N)).
Hypothesis N0 : (0 < N)%N.
Let NR : 0 < N%:R :> R. Proof. by rewrite ltr0n. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.

Definition mse (Z : 'M[R]_(K, N)) : R := (2%:R * N%:R)^-1 * sqF (Z - Y).
Definition mse_grad (Z : 'M[R]_(K, N)) : 'M[R]_(K, N) := N%:R^-1 *: (Z - Y).

(** The Bregman term of the squared error is |Z - Zs|^2 / (2N). *)
Lemma mse_bregman Zs Z :
  bregman mse Zs (mse_grad Zs) Z = (2%:R * N%:R)^-1 * sqF (Z - Zs).
Proof.
have e : Z - Y = (Z - Zs) + (Zs - Y) by rewrite addrA subrK.
rewrite /bregman /mse /mse_grad e sqFD frobZl (frobC (Z - Zs)).
by field.
Qed.

Lemma mse_subgradient Z : subgradient mse Z (mse_grad Z).
Proof.
move=> Z'; rewrite -ler_subr_addl -subr_ge0 -/(bregman mse Z (mse_grad Z) Z').
by rewrite mse_bregman scale_sqF_ge0 // ltW // invr_gt0 mulr_gt0 ?ltr0n.
Qed.

Lemma mse_bregman_eq0 Zs Z : bregman mse Zs (mse_grad Zs) Z = 0 <-> Z = Zs.
Proof.
rewrite mse_bregman; split=> [/eqP|->]; last by rewrite subrr sqF0 mulr0.
by rewrite scale_sqF_eq0 ?invr_gt0 ?mulr_gt0 ?ltr0n // subr_eq0 => /eqP.
Qed.
End Mse.
