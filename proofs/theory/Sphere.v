(** Normalised features (Yaras et al., NeurIPS 2022): cross-entropy of tau W H, the
    rows of W and the columns of H of length one, balanced classes.

    The minimum is log (1 + (K-1) exp (- tau K/(K-1))), attained exactly when W W^T
    is K/(K-1) (I - J/K) and every feature is its classifier row, h_{k,i} = w_k.

    Route: the loss is above its tangent at Z* = tau K/(K-1) P Y, whose slope is a
    multiple of -<P Y, tau W H>; and <P Y, W H> = <H, (P W)^T Y> is at most
    (|H|^2 + |(P W)^T Y|^2)/2 <= (N + n |W|^2)/2 = N. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Exponential Softmax TagSets.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Sphere.
Variables (R : rcfType) (E : exponential R) (K N n d : nat) (lab : 'I_N -> 'I_K) (tau : R).
Hypotheses (K2 : (1 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n) (tau0 : 0 < tau).
Local Notation e := (ex E).
Local Notation Y := (onehot R lab).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)).

(** Cross-entropy of the logits tau W H. *)
Definition sphere_loss W H : R := softmax_loss E (fun=> 1) Y (tau *: (W *m H)).
(** All classifier rows and all features have length one. *)
Definition on_spheres W H : Prop :=
  (forall k, sqF (row k W) = 1) /\ (forall i, sqF (col i H) = 1).
Definition sphere_value : R := ln E (1 + (K%:R - 1) * e (- (tau * K%:R / (K%:R - 1)))).
(** W is a simplex ETF and every feature is the row of its class. *)
Definition sphere_collapse W H : Prop :=
  W *m W^T = (K%:R / (K%:R - 1)) *: ctr K /\ H = W^T *m Y.

Let K0 : (0 < K)%N. Proof. exact: ltnW. Qed.
Let KR : 0 < K%:R :> R. Proof. by rewrite ltr0n. Qed.
Let nR : 0 < n%:R :> R. Proof. by rewrite ltr0n. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let nN : n%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let K1 : 0 < K%:R - 1 :> R. Proof. by rewrite subr_gt0 ltr1n. Qed.
Let K1N : K%:R - 1 != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let NE : N%:R = K%:R * n%:R :> R := balanced_sizeR R bal.
Let N0 : (0 < N)%N. Proof. by rewrite (balanced_size bal) muln_gt0 K0. Qed.
Let NR : 0 < N%:R :> R. Proof. by rewrite ltr0n. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let YY : Y *m Y^T = n%:R%:M := balanced_gram R bal.

Let S := fun i => [set lab i].
Let T1 : tags R S = Y. Proof. by apply: tags_onehot. Qed.
Let S1 i : #|S i|%:R = 1 :> R. Proof. by rewrite cards1. Qed.
Let S0 i : (0 < #|S i|)%N. Proof. by rewrite cards1. Qed.
Let w1 : (fun i => #|S i|%:R : R) = fun=> 1 :> (_ -> R). Proof. by []. Qed.

(** The optimal margin and the logits Z* = a P Y. *)
Let a : R := tau * K%:R / (K%:R - 1).
Let g : R := tag_slope K E 1 a.
Let Zs : 'M[R]_(K, N) := a *: (ctr K *m Y).
Let ZsE : scaled_tags S (fun=> a) = Zs. Proof. by rewrite scaled_tags_const T1. Qed.
Let g0 : 0 < g.
Proof.
have := tag_slope_gt0 K0 E S0 (Ordinal N0) a; rewrite S1; exact.
Qed.

Let grad : softmax_grad E (fun=> 1) Y Zs = - (g / N%:R) *: (ctr K *m Y).
Proof.
have := tag_grad K0 E (fun=> a) S0; rewrite ZsE T1.
have -> : (fun i => tag_slope K E #|S i|%:R a) = (fun=> g) :> ('I_N -> R).
  by rewrite /g /S /=; under [in LHS]eq_fun => i do rewrite cards1.
by [].
Qed.
End Sphere.
